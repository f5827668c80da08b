"""Hash buckets: where Bag of Negatives looks for hard negatives, and whether that place is in good health."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from app import address, cached, figures, selection, state, theme, url_state
from app.names import apart
from app.view import View
from app.views.buckets.bag_health import bag_health
from app.views.buckets.bucket_table import COLLAPSE, BitsStudy, BucketTable, bits_study, bucket_table
from app.widgets.charts.bit_strip import bit_strip
from app.widgets.charts.histogram import histogram
from app.widgets.charts.plot import PLOT, Line, plot, ticks
from app.widgets.map.mini_map import mini_map
from app.widgets.primitives import links
from app.widgets.primitives.board import board
from app.widgets.primitives.gallery import gallery

STUDIED = {  # purity, hardness and served of a study: name, colour
    "same class": theme.GREEN,
    "nearness of the others": theme.VERMILION,
    "anchors with a negative": theme.CONTEXT,
}
MAX_BARS = 40
ORDERS = {"selection": "with my selection", "fullest": "fullest", "most mixed": "most classes"}


def main() -> None:
    view = state.page(
        "Hash buckets",
        "Every sample gets a short code; samples with the same code share a bucket. Bag of Negatives looks for hard"
        " negatives in one bucket instead of in the whole data set.",
    )
    if view.snapshot.meta["hasher_origin"] == "fitted":
        theme.caption(
            "This run did not mine with Bag of Negatives: these buckets were made afterwards from its embedding, to"
            " look at."
        )
    table = _table(view)
    _figures(view, table)
    left, right = st.columns([0.9, 1.4], gap="large")
    with left:
        code = _pick(view, table)
        rows = view.rows[np.asarray(view.snapshot.codes)[view.rows] == code]
        mini_map(
            view,
            key="bucket-map",
            highlighted=[(rows, theme.VERMILION)],
            words=f"Where bucket {code:#x} lies on the map",
        )
        theme.caption(f"Where the samples of bucket {code:#x} lie on the map.")
    with right:
        _bucket(view, table, code, rows)
    st.divider()
    _whole(view, table, code)


def _table(view: View) -> BucketTable:
    table = _unselected(view, cached.stamp(view))
    of_selected = np.searchsorted(table.code, np.asarray(view.snapshot.codes)[view.selected])
    return replace(table, chosen=np.bincount(of_selected, minlength=len(table.code)))


@st.cache_resource(max_entries=8, show_spinner=False)
def _unselected(_view: View, stamp: tuple) -> BucketTable:
    """The table as long as nothing is selected."""
    codes, labels, hardness = (
        np.asarray(column)[_view.rows]
        for column in (_view.snapshot.codes, _view.snapshot.labels, _view.snapshot.hardness)
    )
    return bucket_table(codes, labels, hardness, np.zeros(len(codes), bool))


def _figures(view: View, table: BucketTable) -> None:
    bits = view.snapshot.bits
    share = figures.bucket_entropy(view)
    steps = _steps(view)
    newest = steps[-1] if steps else {}
    theme.figures(
        [
            (str(bits), "bits (S)", f"a code has {bits} bits, so there are {1 << bits:,} buckets"),
            (
                f"{theme.count(len(table.code))} / {theme.count(1 << bits)}",
                "buckets in use",
                f"by the {view.split} samples",
            ),
            (f"{table.size.mean():.1f}", "samples a bucket", "mean over the buckets in use"),
            (
                theme.percent(share, 0),
                "bucket entropy",
                f"How evenly the {view.split} samples fill the buckets, as a share of the {bits} bits there are: 100 %"
                " when all buckets are equally full",
            ),
            (
                theme.percent(newest.get("fallback_rate")),
                "fallback",
                "share of mate places that no bucket could serve, at the end of training, in the miner's table",
            ),
            (
                theme.percent(newest.get("staleness")),
                "stale codes",
                "share of stored codes that were different when their sample was seen again, at the end of training."
                " Many may be: the network moves between two visits, most often by a bit or two, so a stale code still"
                " leads to samples that lie near. The entropy says whether the buckets serve.",
            ),
        ]
    )
    if share < COLLAPSE * min(1, np.log2(len(view.rows)) / bits):  # few samples cannot fill many buckets
        theme.error_box(
            f"The buckets are uneven: their entropy is {theme.percent(share)} of the possible {bits} bits, which is"
            f" that of {2 ** (share * bits):,.0f} equally full buckets instead of {1 << bits:,}."
        )


def _steps(view: View) -> list[dict]:
    """Logged steps in which a miner with buckets was at work."""
    events = cached.events(view.run)
    return [event for event in events if event.get("kind") == "step" and event.get("entropy_share") is not None]


def _pick(view: View, table: BucketTable) -> int:
    st.header("Pick a bucket", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        default = "selection" if len(view.selected) else "fullest"
        by = st.segmented_control(
            "Order",
            list(ORDERS),
            format_func=ORDERS.__getitem__,
            required=True,
            label_visibility="collapsed",
            **address.control(
                "order-of-selection" if len(view.selected) else "order",
                default,
                read=lambda text: next((name for name, words in ORDERS.items() if words == text), text),
                among=ORDERS.__contains__,
                words="order",
            ),
        )
        wanted = st.text_input("Code", placeholder="code, e.g. 0x3f", key="bucket-search", label_visibility="collapsed")
    order = table.order(by)
    code = url_state.number(
        "bucket",
        lambda value: 0 <= value < 1 << view.snapshot.bits,
        fallback=int(table.code[order[0]]),
        words="bucket",
    )
    if wanted and st.session_state.get("bucket-searched") != wanted:
        st.session_state["bucket-searched"] = wanted
        code = _found(view, wanted, code)
        url_state.go("bucket", code)
    shown = pd.DataFrame(
        {
            "bucket": [f"{value:#x}" for value in table.code[order]],
            "samples": table.size[order],
            "classes": table.classes[order],
            "purity": 100 * table.purity[order],
            "hardness": table.hardness[order],
            "selected": table.chosen[order],
        }
    )
    if not len(view.selected):
        shown = shown.drop(columns="selected")
    event = st.dataframe(
        shown,
        hide_index=True,
        height=316,
        on_select="rerun",
        selection_mode="single-row",
        key=f"buckets-{by}-{view.split}",
        column_config={
            "samples": st.column_config.ProgressColumn(max_value=int(table.size.max()), format="%d", color="blue"),
            "purity": st.column_config.NumberColumn(
                format="%.0f %%", help="chance that two samples of it share a class"
            ),
            "hardness": st.column_config.NumberColumn(
                format="%.2f",
                help="mean of d(own class) − d(another class) over the samples; a sample above 0 is retrieved wrongly",
            ),
        },
    )
    chosen = event["selection"]["rows"]
    if chosen and st.session_state.get("bucket-row") != (by, chosen[0]):
        st.session_state["bucket-row"] = (by, chosen[0])
        code = int(table.code[order[chosen[0]]])
        url_state.go("bucket", code)
    return code


def _found(view: View, text: str, fallback: int) -> int:
    """The code that was typed, hexadecimal, decimal or as bits."""
    bits = view.snapshot.bits
    try:
        bare = text.strip().lower()
        code = int(bare, 2) if len(bare) == bits and set(bare) <= {"0", "1"} else int(bare, 0)
    except ValueError:
        code = -1
    if 0 <= code < 1 << bits:
        return code
    theme.error_box(f"There is no bucket {text!r}; codes of {bits} bits run from 0x0 to {(1 << bits) - 1:#x}.")
    return fallback


def _bucket(view: View, table: BucketTable, code: int, rows: np.ndarray) -> None:
    st.header(f"Bucket {code:#x}", anchor=False)
    theme.caption(
        "Its code, bit by bit. Click a bit to flip it and visit the neighbouring bucket, whose size stands below."
    )
    sizes = dict(zip(table.code.tolist(), table.size.tolist(), strict=True))
    visited = bit_strip(code, view.snapshot.bits, sizes, key="bits")
    if visited is not None:
        url_state.go("bucket", visited)
        st.rerun()
    if not len(rows):
        theme.empty(f"No {view.split} sample has this code.", "Flip a bit, or pick a bucket from the list.")
        return
    names, counts = np.unique(np.asarray(view.snapshot.labels)[rows], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    at = int(np.searchsorted(table.code, code))
    theme.figures(
        [
            (theme.count(len(rows)), "samples", ""),
            (theme.count(len(names)), "classes", "more classes: more negatives to draw"),
            (
                "–" if np.isnan(table.purity[at]) else theme.percent(table.purity[at], 0),
                "purity",
                "chance that two samples of the bucket are of one class; the rest are negatives",
            ),
            (
                f"{table.hardness[at]:+.2f}",
                "hardness",
                "mean d(own class) − d(another class) over its samples; a sample above 0 is retrieved wrongly",
            ),
        ]
    )
    _actions(view, rows, code)
    listed = [f"{apart(view.short(names[i]))} × {counts[i]}" for i in order[:14]]
    more = f" and {theme.count(len(names) - 14)} more" if len(names) > 14 else ""
    theme.caption(" · ".join(listed) + more)
    place_of_class = np.argsort(order)  # by size, the largest class first
    by_class = rows[np.argsort(place_of_class[np.searchsorted(names, view.snapshot.labels[rows])], kind="stable")]
    clicked = gallery(view, np.asarray(view.snapshot.ids)[by_class], key="bucket-gallery", size=42, most=120)
    if clicked is not None:
        _select(np.array([clicked]), code, origin=f"one sample of bucket {code:#x}")
        st.rerun()


def _actions(view: View, rows: np.ndarray, code: int) -> None:
    ids, origin, rule = np.asarray(view.snapshot.ids)[rows], f"bucket {code:#x}", f"bucket:{code}"
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Select these",
            key="bucket-select",
            type="primary",
            icon=":material/select:",
            on_click=_select,
            args=(ids, code),
            kwargs={"origin": origin, "rule": rule},
        )
        st.button(
            "Add to selection",
            key="bucket-add",
            icon=":material/add:",
            on_click=_select,
            args=(ids, code),
            kwargs={"mode": "add", "origin": origin},
        )
        if st.button("What was mined from here", key="bucket-mined", icon=":material/compare_arrows:"):
            _select(ids, code, origin=origin, rule=rule)
            st.switch_page("views/negatives/negatives.py")


def _select(ids: np.ndarray, code: int, *, origin: str, mode: Literal["new", "add"] = "new", rule: str = "") -> None:
    """Change the selection and stay in the bucket."""
    selection.put(ids, mode=mode, origin=origin, rule=rule)
    url_state.go("bucket", code)


def _whole(view: View, table: BucketTable, code: int) -> None:
    """All buckets at once: how full, how many bits would do, and their health over training."""
    steps = _steps(view)
    if steps:
        left, right = st.columns([1, 1.7], gap="large")
        with left:
            _sizes(table, code)
            _bits(view)
        with right:
            warnings = [event for event in cached.events(view.run) if event.get("kind") == "warning"]
            bag_health(steps, warnings, (view.run.path, *cached.events_stamp(view.run)))
    else:
        left, right = st.columns(2, gap="large")
        with left:
            _sizes(table, code)
        with right:
            _bits(view)
        _no_health(view)
    if len(selection.ids()):
        links.follow(but="buckets")


def _sizes(table: BucketTable, code: int) -> None:
    st.header("How full the buckets are", anchor=False)
    theme.caption(
        "Buckets by number of samples; the chosen one is among the vermilion. A few giants would mean collapse. Click a"
        " bar to visit its buckets one by one."
    )
    largest = int(table.size.max())
    step = -(-largest // MAX_BARS)
    starts = np.arange(1, largest + 1, step)
    bar = (table.size - 1) // step  # of each bucket
    here = bar[table.code == code].tolist()
    spans = [f"{start} to {start + step - 1}" if step > 1 else f"{start}" for start in starts.tolist()]
    counts = np.bincount(bar, minlength=len(starts))
    picked = histogram(
        counts,
        np.append(starts, starts[-1] + step) - 0.5,
        key="occupancy",
        title="samples in a bucket",
        ticks=ticks(0, largest, 6),
        highlighted=here,
        words=[f"{theme.count(count)} buckets of {span} samples" for count, span in zip(counts, spans, strict=True)],
    )
    if picked is not None and counts[picked]:
        alike = table.code[bar == picked]
        url_state.go("bucket", int(alike[np.searchsorted(alike, code, side="right") % len(alike)]))
        st.rerun()


def _bits(view: View) -> None:
    st.header("Would fewer bits do?", anchor=False)
    theme.caption(
        "Bucket mates under the first b bits of the code: the chance to be of the same class, and how near those of"
        " another class are (0 = a random negative, 1 = the hardest there is)."
    )
    theme.legend([(colour, name, "") for name, colour in STUDIED.items()])
    study = _bits_study(view, cached.stamp(view))
    lines = []
    for (name, shade), values in zip(STUDIED.items(), (study.purity, study.hardness, study.served), strict=True):
        known = ~np.isnan(values)
        lines.append(Line(name, shade, np.column_stack([study.bits, values])[known]))
    drawn = plot(
        lines,
        words="Purity and nearness by number of bits",
        written=lambda share: theme.percent(share, 0),
        x=(1, view.snapshot.bits),
        y=(min(0.0, *(float(line.points[:, 1].min(initial=0)) for line in lines)), 1),
        title="bits of the code used",
        height=180,
    )
    board(drawn, key="bits-study", css=PLOT)


@st.cache_data(max_entries=16, show_spinner=False)
def _bits_study(_view: View, stamp: tuple) -> BitsStudy:
    snapshot, rows = _view.snapshot, _view.rows
    labels, codes = np.asarray(snapshot.labels)[rows], np.asarray(snapshot.codes)[rows]
    return bits_study(cached.vectors(_view), labels, codes, snapshot.bits)


# Health over training -------------------------------------------------------------------------------------------------


def _no_health(view: View) -> None:
    """Why there is nothing to show, and what would change that."""
    st.header("Health over training", anchor=False)
    remedy = "The figures are written while a run trains with the miner bon; start one on the Train page."
    if view.snapshot.meta["origin"] != "trained":
        theme.empty("These embeddings came ready-made, so there is no training to look back on.", remedy)
    elif view.run.config.mining.batch_miner not in ("bon", "lsh"):
        theme.empty(f"This run mined with {view.run.config.mining.miner}, which keeps no buckets.", remedy)
    else:
        theme.empty("This run kept no bucket figures.", remedy)


main()
