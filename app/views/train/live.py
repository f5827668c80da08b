"""A run as it goes: how far, how well, how hard its negatives are, and its map as it forms."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import streamlit as st

from app import cached, theme
from app.jobs import on_the_page
from app.phases import PHASE_WORDS, PHASES
from app.widgets.charts.plot import PLOT, SIDE, Line, plot, thinned
from app.widgets.map.webgl_map.plane import Beyond, Bounds, beyond, bulk, whole
from app.widgets.primitives.board import board, text
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
MAX_POINTS = 400  # of a curve; more cannot be seen
CSS = """
.curves {display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 190px), 1fr)); gap: 10px 26px}
.curves .panel {min-width: 0}
.curves .wide {grid-column: 1 / -1}
.curves b {font-weight: 620}
.curves .key {display: flex; gap: 16px; font-size: 12px; margin-top: 2px}
.curves .key i {display: inline-block; width: 14px; height: 3px; margin-right: 6px; vertical-align: middle}
.dots {position: relative; height: 400px}
.dots svg {width: 100%; height: 100%}
.dots path {stroke-width: 4.2; stroke-linecap: round; vector-effect: non-scaling-stroke; opacity: .75; fill: none}
.dots b {position: absolute; font-weight: 600; left: 50%; top: 50%; transform: translate(-50%, -50%)}
.dots .x-1 {left: 8px; transform: translateY(-50%)}
.dots .x1 {left: auto; right: 8px; transform: translateY(-50%)}
.dots .y1 {top: 8px; transform: translateX(-50%)}
.dots .y-1 {top: auto; bottom: 8px; transform: translateX(-50%)}
.dots .x-1.y1, .dots .x1.y1, .dots .x-1.y-1, .dots .x1.y-1 {transform: none}
"""


def follow(run: Run, status: Status) -> None:
    """Progress, figures, curves and live map of one run."""
    _progress(status)
    try:
        events = cached.events(run)
    except InputError as error:
        theme.error_box(str(error))
        return
    steps = [event for event in events if event["kind"] == "step" and event.get("phase") in PHASES]
    evaluations = [event for event in events if event["kind"] == "evaluation"]
    if not steps:
        if status.state in ("queued", "running"):
            theme.caption("The curves begin with the first steps.")
        _log(run)
        return
    _figures(steps, evaluations)
    preview = _newest_preview(run)
    left, right = st.columns([1.25, 1], gap="medium") if preview is not None else (st.container(), None)
    with left:
        halves = _curve(steps, "loss", "loss") + _curve(steps, "active", "anchors violating the margin")
        recall = _recall(evaluations, steps).replace("panel", "panel wide", 1)
        board(f'<div class="curves">{recall}{halves}</div>', key="live-curves", css=CSS + PLOT)
    if right is not None:
        assert preview is not None  # or there would be no right half
        with right:
            _live_map(preview)
    board(f'<div class="curves">{_mining(steps)}</div>', key="live-mining", css=CSS + PLOT)
    for event in [event for event in events if event["kind"] == "warning" and event.get("text")][-2:]:
        theme.caption(f"Step {event['step']}: {event['text']}")
    _log(run)


def _log(run: Run) -> None:
    """What its processes did, newest first: how to find out why one ended."""
    try:
        lines = run.logged()[:-LOG_LINES:-1]
    except InputError as error:
        theme.caption(str(error))
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
        theme.error_box(on_the_page(status.message) or "The training ended without a word.")
    elif status.message:
        words += f" · {on_the_page(status.message)}"
    if status.state != "finished":
        st.progress(min(done, 1.0), text=words)


def _figures(steps: list[dict], evaluations: list[dict]) -> None:
    last = steps[-1]
    recall = evaluations[-1].get("recall@1") if evaluations else None
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


def _recall(evaluations: list[dict], steps: list[dict]) -> str:
    """Recall@1 and MAP@R on the held-out classes, as HTML."""
    if not evaluations:
        return '<div class="panel">The first evaluation on held-out classes is still to come.</div>'
    lines = [
        Line(name, shade, _points(evaluations, measure))
        for measure, name, shade in (("recall@1", "Recall@1", theme.BLUE), ("map@r", "MAP@R", theme.ORANGE))
    ]
    key = "".join(f'<span><i style="background:{line.shade}"></i>{line.name}</span>' for line in lines)
    drawn = plot(
        lines,
        words="Recall@1 and MAP@R on held-out classes over the epochs",
        written=lambda share: f"{100 * share:.3g} %",
        x=(0.0, float(steps[-1]["epoch"])),
        spans=_spans(steps),
        title="epoch",
        height=170,
    )
    return f'<div class="panel"><b>Held-out retrieval</b><div class="key">{key}</div>{drawn}</div>'


def _curve(steps: list[dict], name: str, words: str) -> str:
    """One measure of the steps over the epochs, as HTML; nothing where it was not measured."""
    points = _points(thinned(steps, MAX_POINTS), name)
    if not len(points):
        return ""
    drawn = plot(
        [Line(words, theme.BLUE, points)],
        words=f"{words} over the epochs",
        written="{:.4g}".format,
        x=(0.0, float(steps[-1]["epoch"])),
        spans=_spans(steps),
    )
    return f'<div class="panel"><b>{words[0].upper()}{words[1:]}</b>{drawn}</div>'


def _mining(steps: list[dict]) -> str:
    if any(step.get("entropy_share") is not None for step in steps):
        first = _curve(steps, "entropy_share", "table entropy, share of all bits")
    else:
        first = _curve(steps, "d_an", "distance to the negative")
    return first + _curve(steps, "mining_ms", "mining, ms a step")


def _points(events: list[dict], name: str) -> np.ndarray:
    """(m, 2) of epoch and measure, of the events that have it."""
    found = [(event["epoch"], event[name]) for event in events if event.get(name) is not None]
    return np.array(found, np.float64).reshape(-1, 2)


def _spans(steps: list[dict]) -> list[tuple[float, float, str]]:
    """(from epoch, to epoch, shade) of each stretch in one phase."""
    stretches = [list(stretch) for _, stretch in groupby(steps, key=lambda step: step["phase"])]
    ends = [stretch[0]["epoch"] for stretch in stretches[1:]] + [steps[-1]["epoch"]]
    return [
        (stretch[0]["epoch"], end, PHASES[stretch[0]["phase"]]) for stretch, end in zip(stretches, ends, strict=True)
    ]


def _live_map(preview: dict) -> None:
    """The newest map of a sample of the held-out images."""
    st.markdown(f"**The map at step {theme.count(int(preview['step']))}**")
    home = bulk(preview["xy"])
    far = beyond(preview["xy"], home)
    everything = bool(far) and st.toggle("All points", key="live-all", help="; ".join(one.words for one in far))
    shown = (whole(preview["xy"]) if everything else home).grown(0.02)
    board(_dots(preview, shown, [] if everything else far), key="live-map", css=CSS)


def _dots(preview: dict, shown: Bounds, far: Sequence[Beyond]) -> str:
    """The points of a preview inside a box, in the shades of their classes; arrows say what lies outside."""
    inside = shown.holds(preview["xy"])
    places = (preview["xy"][inside] - shown.low) / shown.span * SIDE
    shades = preview["labels"][inside] % len(theme.HUES)
    paths = "".join(
        f'<path stroke="{hue}" d="{"".join(f"M{x:.0f} {SIDE - y:.0f}h0" for x, y in places[shades == number])}"/>'
        for number, hue in enumerate(theme.HUES)
    )
    arrows = "".join(
        f'<b class="x{one.across} y{one.up}" title="{text(one.words)} of this view; “All points” shows them">'
        f"{one.arrow} {one.count:,}</b>"
        for one in far
    )
    return (
        f'<div class="dots"><svg viewBox="0 0 {SIDE} {SIDE}" preserveAspectRatio="none" role="img"'
        f' aria-label="The held-out images as the training sees them now">{paths}</svg>{arrows}</div>'
    )
