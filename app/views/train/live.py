"""A run as it goes: how far, how well, how hard its negatives are, and its map as it forms."""

import pandas as pd
import streamlit as st

from app import cached, theme
from app.jobs import on_the_page
from app.phases import PHASE_WORDS, PHASES
from app.widgets import charts
from app.widgets.map.far import arrows
from app.widgets.map.webgl_map.plane import beyond, bulk, whole
from bon_core.config import InputError
from bon_core.runs.run import Run, Status

STATES = {
    "queued": "waiting",
    "running": "training",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "interrupted": "interrupted",
}
LOG_LINES = 40
MOST_STEPS = 400  # points of a curve; more cannot be seen


def follow(run: Run, status: Status) -> None:
    """Progress, figures, curves and live map of one run."""
    _progress(status)
    try:
        events = cached.events(run)
    except InputError as error:
        theme.trouble(str(error))
        return
    steps = [event for event in events if event["kind"] == "step" and event.get("phase") in PHASES]
    evaluations = pd.DataFrame([event for event in events if event["kind"] == "evaluation"])
    if not steps:
        if status.state in ("queued", "running"):
            theme.quiet("The curves begin with the first steps.")
        _log(run)
        return
    _figures(steps, evaluations)
    table = pd.DataFrame(steps[:: max(len(steps) // MOST_STEPS, 1)])
    preview = _newest_preview(run)
    left, right = st.columns([1.25, 1], gap="medium") if preview is not None else (st.container(), None)
    with left:
        _recall(evaluations, table)
        _pair(table, "loss", "active", "loss", "anchors violating the margin", run.name)
    if right is not None:
        with right:
            _live_map(preview)
    _mining(table, run.name)
    for event in [event for event in events if event["kind"] == "warning" and event.get("text")][-2:]:
        theme.quiet(f"Step {event['step']}: {event['text']}")
    _log(run)


def _log(run: Run) -> None:
    """What its processes did, newest first: how to find out why one ended."""
    try:
        lines = run.logged()[:-LOG_LINES:-1]
    except InputError as error:
        theme.quiet(str(error))
        return
    if lines:
        with st.expander("Log"):
            st.code("\n".join(_log_line(line) for line in lines), language=None, wrap_lines=True)


def _log_line(line: dict) -> str:
    details = {name: value for name, value in line.items() if name not in ("time", "process", "what", "packages")}
    words = ", ".join(f"{name} {value}" for name, value in details.items() if value not in ("", None))
    return f"{str(line.get('time'))[:19].replace('T', ' ')}  {line.get('what')}  {words}"


def _newest_preview(run: Run) -> dict | None:
    """None also if it went between being found and being read: it was thinned out, or the run was deleted."""
    try:
        return run.newest_preview()
    except InputError:
        return None


def _progress(status: Status) -> None:
    done = status.step / status.steps if status.steps else 0.0
    words = f"{STATES[status.state]} · step {theme.count(status.step)} of {theme.count(status.steps)}"
    if status.state == "running" and status.seconds_left is not None:
        words += f" · {theme.duration(status.seconds_left)} left"
    if status.state in ("failed", "interrupted"):
        theme.trouble(on_the_page(status.message) or "The training ended without a word.")
    elif status.message:
        words += f" · {on_the_page(status.message)}"
    if status.state != "finished":
        st.progress(min(done, 1.0), text=words)


def _figures(steps: list[dict], evaluations: pd.DataFrame) -> None:
    last = steps[-1]
    recall = float(evaluations["recall@1"].iloc[-1]) if len(evaluations) else None
    share = last["mining_ms"] / last["step_ms"] if last["step_ms"] else 0.0
    items = [
        (theme.percent(recall), "held-out Recall@1", "On classes that the training never sees"),
        (f"{last['loss']:.3f}", "loss", ""),
        (
            theme.percent(last["active"], 0),
            "violate the margin",
            "Share of the batch's anchors whose negative is nearer than the positive + margin; only a triplet loss is"
            " zero for the others",
        ),
        (f"{last['mining_ms']:.1f} ms", "mining", f"{theme.percent(share)} of a step of {last['step_ms']:.0f} ms"),
        (theme.count(last["images_per_second"]), "images a second", ""),
        (f"{last['epoch']:.1f}", "epochs", PHASE_WORDS.get(last["phase"], "")),
    ]
    if last.get("entropy_share") is not None:
        words = "How evenly the miner's table is filled, with the codes that training samples had when last seen"
        items.insert(3, (theme.percent(last["entropy_share"], 0), "table entropy", words))
    theme.figures(items)
    present = dict.fromkeys(step["phase"] for step in steps)
    if len(present) > 1:
        theme.legend([(PHASES[phase], PHASE_WORDS[phase], "") for phase in PHASES if phase in present])


def _spans(table: pd.DataFrame) -> list[tuple[float, float, str]]:
    """(from epoch, to epoch, phase) of each stretch in one phase."""
    change = (table["phase"] != table["phase"].shift()).cumsum()
    starts = [(float(part["epoch"].iloc[0]), str(part["phase"].iloc[0])) for _, part in table.groupby(change)]
    ends = [start for start, _ in starts[1:]] + [float(table["epoch"].iloc[-1])]
    return [(start, end, phase) for (start, phase), end in zip(starts, ends, strict=True)]


def _over_phases(chart, table: pd.DataFrame):
    import altair as alt

    return alt.layer(charts.bands(_spans(table), colours=PHASES, x="epoch"), chart).resolve_scale(color="independent")


def _recall(evaluations: pd.DataFrame, table: pd.DataFrame) -> None:
    if not len(evaluations):
        theme.quiet("The first evaluation on held-out classes is still to come.")
        return
    names = {"recall@1": "Recall@1", "map@r": "MAP@R"}
    long = evaluations.rename(columns=names).melt("epoch", list(names.values()), "measure", "value")
    st.markdown("**Held-out retrieval**")
    colours = {"Recall@1": theme.BLUE, "MAP@R": theme.ORANGE}
    chart = charts.curves(
        long, x="epoch", y="value", series="measure", colours=colours, percent=True, points=True, height=210
    )
    charts.show(
        _over_phases(chart, table), key="live-recall", alt_text="Recall@1 and MAP@R on held-out classes over the epochs"
    )


def _pair(table: pd.DataFrame, one: str, other: str, one_words: str, other_words: str, key: str) -> None:
    for column, (name, words) in zip(st.columns(2), ((one, one_words), (other, other_words)), strict=True):
        if name in table and table[name].notna().any():
            with column:
                st.markdown(f"**{words[0].upper()}{words[1:]}**")
                chart = charts.curves(table.dropna(subset=[name]), x="epoch", y=name, height=150)
                charts.show(_over_phases(chart, table), key=f"live-{name}", alt_text=f"{words} over the epochs")


def _mining(table: pd.DataFrame, key: str) -> None:
    if table.get("entropy_share") is not None and table["entropy_share"].notna().any():
        _pair(table, "entropy_share", "mining_ms", "table entropy, share of all bits", "mining, ms a step", key)
    else:
        _pair(table, "d_an", "mining_ms", "distance to the negative", "mining, ms a step", key)


def _live_map(preview: dict) -> None:
    """The newest map of a sample of the held-out images."""
    st.markdown(f"**The map at step {theme.count(int(preview['step']))}**")
    table = pd.DataFrame(
        {"x": preview["xy"][:, 0], "y": preview["xy"][:, 1], "c": (preview["labels"] % len(theme.HUES)).astype(int)}
    )
    home = bulk(preview["xy"])
    far = beyond(preview["xy"], home)
    everything = bool(far) and st.toggle("All points", key="live-all", help="; ".join(one.words for one in far))
    shown = (whole(preview["xy"]) if everything else home).grown(0.02)
    bare = {"grid": False, "domain": False, "labels": False, "ticks": False, "title": None}
    points = {
        "data": {"name": "points"},
        "mark": {"type": "circle", "size": 12, "opacity": 0.75, "clip": True},
        "encoding": {
            **{
                axis: {
                    "field": axis,
                    "type": "quantitative",
                    "scale": {"domain": [shown.low[number], shown.high[number]], "nice": False, "zero": False},
                    "axis": bare,
                }
                for number, axis in enumerate("xy")
            },
            "color": {
                "field": "c",
                "type": "nominal",
                "scale": {"domain": list(range(len(theme.HUES))), "range": list(theme.HUES)},
                "legend": None,
            },
        },
    }
    spec = {
        "datasets": {"points": table},
        "layer": [points, *arrows([] if everything else far)],
        "height": 400,
        "padding": 0,
        "config": {"view": {"stroke": None}},
        "usermeta": {"embedOptions": {"renderer": "canvas"}},
    }
    st.vega_lite_chart(spec, key="live-map", width="stretch", alt="The held-out images as the training sees them now")
