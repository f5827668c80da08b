"""Compare: two runs, or two checkpoints of one, on the samples that both know."""

from dataclasses import asdict, dataclass, replace

import numpy as np
import streamlit as st

from app import cached, pictures, selection, state, theme, url_state
from app.view import View
from app.views.compare.changes import ClassChange, Comparison, Turns, class_changes, p_words, superimpose, turns
from app.views.compare.pair import K, Pair, choose_other, pair_of
from app.views.compare.twin_curves import twin_curves
from app.views.compare.twin_maps import twin_maps
from app.views.compare.versus import HUES, Line, columns, rails, settings, versus
from app.widgets.map.colouring import Colouring, colouring
from app.widgets.map.webgl_map import LineKind, MapEvent, happened
from app.widgets.map.webgl_map.plane import bulk
from app.widgets.primitives import links
from app.widgets.primitives.gallery import gallery, gallery_head
from bon_core.runs.snapshot import Snapshot

SHOWN = 36  # pictures of a gallery
CLASSES = 8  # at either end of the list
MAPS = "twin"  # the widget
SAMPLE = "sample"  # in the address
METRICS = {
    "recall@1": ("Recall@1", "How often the nearest neighbour is of the same class"),
    "map@r": ("MAP@R", "How well all of the own class are ranked before the others"),
    "r_precision": ("R-Precision", "Of the R nearest, R being the size of the own class, the share that is of it"),
    "nmi": ("NMI", "How well k-means clusters agree with the classes"),
}
NOT_LEARNT = {"device", "checkpoint_every", "evaluate_every", "audit_every", "path"}  # settings that change no result
CHANGES = {
    "right in both": theme.SKY,
    "turned right": theme.GREEN,
    "turned wrong": theme.VERMILION,
    "wrong in both": theme.OLIVE,
    "no query": theme.CONTEXT,  # alone in its class, or without a neighbour in common
}


def main() -> None:
    _take(happened(MAPS))
    view = state.page("Compare", "What did the other training learn differently? Two runs, or two checkpoints of one.")
    other = choose_other(view)
    if other is None:
        theme.empty(
            "There is nothing to compare with yet: this is the only snapshot.",
            "Train a second model, say with another miner or without learners, and both meet here.",
        )
        st.page_link("views/train/train.py", label="Train another model", icon=":material/model_training:")
        return
    pair = pair_of(view, other)
    _what_is_compared(pair)
    left, right = st.columns([1, 2.2], gap="large")
    with left:
        _headline(pair)
        _settings(pair)
    with right:
        runs = {pair.views[k].run.path: (pair.views[k].run, pair.names[k]) for k in (1, 0)}
        twin_curves(list(reversed(runs.values())), key="curve")
    if not len(pair.found.ids):
        return
    st.divider()
    focus = _focus(pair)
    _maps(pair, focus)
    st.divider()
    left, right = st.columns([1.9, 1], gap="large")
    with left:
        _movers(pair)
    with right:
        if focus is not None:
            _portrait(pair, focus)
    st.divider()
    _classes(pair)
    if len(selection.ids()):
        links.follow(but="compare")


def _what_is_compared(pair: Pair) -> None:
    """Say where the two differ in what they were measured on."""
    one, other = pair.views
    data = [view.snapshot.meta.get("data") or view.run.name for view in pair.views]
    if data[0] != data[1]:
        words = f"{pair.names[0]} knows {data[0]}, {pair.names[1]} knows {data[1]}"
    elif one.split != other.split:
        words = f"{pair.names[1]} has no {one.split} split; its {other.split} split is taken"
    elif pair.whole:
        return
    else:
        words = "The two were measured on different samples"
    count = len(pair.found.ids)
    if not count:
        theme.error_box(f"{words}. They have no sample in common, so maps and neighbours cannot be compared.")
    elif pair.whole:
        theme.caption(f"{words}; the samples are the same.")
    else:
        theme.error_box(
            f"{words}. {theme.count(count)} samples, matched by id and class, are in common, of"
            f" {theme.count(len(one.rows))} and {theme.count(len(other.rows))}; below, only these are compared."
        )


# How good -------------------------------------------------------------------------------------------------------------


def _headline(pair: Pair) -> None:
    one, other = (view.snapshot.metrics.get(view.split, {}) for view in pair.views)
    comparable = pair.whole and one.get("protocol") == other.get("protocol")
    lines = [
        Line(name, words, (one.get(key), other.get(key)), compared=comparable) for key, (name, words) in METRICS.items()
    ]
    known = [side[~np.isnan(side)] for side in pair.found.right]
    if not comparable and all(map(len, known)):
        before, after = (float(side.mean()) for side in known)
        lines.insert(0, Line("Recall@1 in common", "Among samples and neighbours that both know", (before, after)))
    versus(pair.names, lines, key="headline")
    if len(pair.found.ids):
        _chance(pair)
    if not comparable:
        theme.caption("Where there is no difference, they were measured on different samples or by different rules.")
    elif one.get("protocol"):
        theme.caption(f"{theme.count(len(pair.found.ids))} {pair.views[0].split} samples: {one['protocol']}.")


def _chance(pair: Pair) -> None:
    """Whether who turned right and wrong could be the toss of a coin."""
    found = _turns(pair, *map(cached.stamp, pair.views))
    if not found.right and not found.wrong:
        theme.caption(found.words)
        return
    theme.caption(
        f"{found.words} Queries of a class tend to turn together, so p counts how often whole classes, each gaining or"
        " losing by the toss of a coin, differ as much. Another seed may turn others.",
        hover=f"If queries were independent: {p_words(found.independent)} (McNemar's test, mid-p)",
    )


@st.cache_data(max_entries=8, show_spinner=False)
def _turns(_pair: Pair, *stamps: tuple) -> Turns:
    return turns(_pair.found, _pair.classes)


def _settings(pair: Pair) -> None:
    """The settings that differ, and whether the difference can be put down to one."""
    one, other = map(_flat, pair.views)
    if not one or not other or pair.views[0].run.path == pair.views[1].run.path:
        return
    rows = [(name, _told(one[name]), _told(other[name])) for name in one if one[name] != other[name]]
    if not rows:
        theme.caption("Both were trained with the same settings.")
        return
    st.markdown("**Settings that differ**")
    settings(rows, key="settings")
    if len(rows) > 1:
        theme.caption(f"{len(rows)} settings differ, so what was gained or lost cannot be put down to one of them.")
    else:
        theme.caption("Nothing else differs.")


def _flat(view: View) -> dict[str, object]:
    """The settings by name; none for a run that was not trained here."""
    if view.snapshot.meta["origin"] != "trained":
        return {}
    return {
        "data" if name == "name" else name.replace("_", " "): value
        for section in asdict(view.run.config).values()
        for name, value in section.items()
        if name not in NOT_LEARNT
    }


def _told(value: object) -> str:
    return "auto" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


# Where things lie -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Moved(Snapshot):
    """A snapshot whose map was moved."""

    xy: np.ndarray


@dataclass(frozen=True)
class _Part(View):
    """A view of some rows."""

    rows: np.ndarray


def _maps(pair: Pair, focus: int | None) -> None:
    one, other = pair.views
    xy, fit = _turned(one, other, pair.found, cached.stamp(one), cached.stamp(other))
    moved = _Moved(other.snapshot.path, other.snapshot.meta, xy)
    rows = [view.rows[places] for view, places in zip(pair.views, pair.found.places, strict=True)]
    parts = (
        _Part(one.run, one.snapshot, one.split, one.colour, rows[0]),
        _Part(other.run, moved, other.split, other.colour, rows[1]),
    )
    st.header("Where things lie", anchor=False)
    shades = (state.COLOURS.get(one.colour, one.colour), "neighbours shared", "what changed")
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        shade = st.segmented_control(
            "Colour by", shades, default=shades[0], required=True, key="shade", label_visibility="collapsed"
        )
        colour = (_as_in_the_first, _by_kept, _by_change)[shades.index(shade)](pair)
        with st.container(width="stretch"):
            colour.legend(pair.among if len(pair.among) < len(rows[0]) else None)
    event = twin_maps(
        parts,
        pair.names,
        key=MAPS,
        colour=colour,
        highlight=selection.ids(),
        lines=(_lines(one, focus), _lines(other, focus)),
        focus=focus,
    )
    theme.caption(
        f"Colours are those of {pair.names[0]} on both. The right map is turned, mirrored and scaled to the left one,"
        f" which explains {theme.percent(fit, 0)} of where things lie; UMAP places the rest as chance has it. An area"
        " on either map selects on both, a click opens a sample."
    )
    if event is not None:  # of plain maps, which tell nothing before they are drawn
        _take(event)
        st.rerun()


def _take(event: MapEvent | None) -> None:
    """A click opens a sample, an area is selected."""
    if event is not None and event.kind == "pick":
        url_state.go(SAMPLE, event[0])
    elif event is not None:
        selection.put(event.ids, mode=event.mode, origin="area on a compared map")


@st.cache_data(max_entries=8, show_spinner=False)
def _turned(_one: View, _other: View, _found: Comparison, *stamps: tuple) -> tuple[np.ndarray, float]:
    """The other's whole map, moved to fit the first one's on the samples in common; and how well it fits."""
    here, there = (view.rows[places] for view, places in zip((_one, _other), _found.places, strict=True))
    xy, targets = np.asarray(_other.snapshot.xy), np.asarray(_one.snapshot.xy)[here]
    near = bulk(xy[there]).holds(xy[there]) & bulk(targets).holds(targets)  # a few far off would decide it all
    return superimpose(xy, there[near], targets[near])


def _as_in_the_first(pair: Pair) -> Colouring:
    """The first view's colours of the samples in common."""
    whole = colouring(pair.views[0])
    return replace(whole, values=whole.values[pair.found.places[0]])


def _by_kept(pair: Pair) -> Colouring:
    kept = np.nan_to_num(pair.found.kept)
    return Colouring("kept", kept, tuple(reversed(theme.DIVERGING)), domain=(0, 1), ends=("none shared", "all shared"))


def _by_change(pair: Pair) -> Colouring:
    before, after = pair.found.right
    unknown, right, now = np.isnan(before + after), before == 1, after == 1
    kinds = np.select([unknown, right & now, now, right], [4, 0, 1, 2], 3).astype(np.int16)
    counts = np.bincount(kinds, minlength=len(CHANGES)).tolist()
    entries = tuple((shade, name, count) for (name, shade), count in zip(CHANGES.items(), counts, strict=True) if count)
    return Colouring("change", kinds, tuple(CHANGES.values()), entries, names=tuple(CHANGES))


def _lines(view: View, focus: int | None) -> list[tuple[int, int, LineKind]]:
    row = None if focus is None else view.snapshot.position_of.get(focus)
    if focus is None or row is None:
        return []
    ids, labels = np.asarray(view.snapshot.ids), np.asarray(view.snapshot.labels)
    near = np.asarray(view.snapshot.neighbours[row])[:K]
    return [(focus, int(ids[other]), "right" if labels[other] == labels[row] else "wrong") for other in near]


# Who moved ------------------------------------------------------------------------------------------------------------


def _movers(pair: Pair) -> None:
    found = pair.found
    st.header("Who has other neighbours now", anchor=False)
    kept = found.kept[~np.isnan(found.kept)]
    left, right = st.columns([1, 1.4], gap="medium")
    with left:
        theme.figures(
            [
                (
                    theme.percent(float(kept.mean()) if len(kept) else None, 0),
                    "neighbours shared",
                    f"Share of a sample's {K} nearest that are among its {K} nearest in both, on average",
                ),
                (theme.count(len(found.turned(right=True))), "turned right", "Their nearest is now of their class"),
                (theme.count(len(found.turned(right=False))), "turned wrong", "Their nearest no longer is"),
            ]
        )
    with right:
        counts = np.bincount(np.round(K * kept).astype(int), minlength=K + 1).tolist()
        columns(counts, title=f"samples by how many of their {K} nearest are shared", key="kept")
    if len(pair.among) < len(found.ids):
        theme.caption(f"Below: among the {theme.count(len(pair.among))} selected.")
    stayed = [f"{round(K * found.kept[p])}/{K}" for p in pair.movers[:SHOWN]]
    moved = pair.movers[:SHOWN]  # everybody moved, more or less
    alike = len(set(stayed)) == 1
    words = f"each shares {stayed[0]} of its nearest" if alike else f"how many of the {K} nearest are shared"
    _gallery(pair, "Moved most", moved, None if alike else stayed, "movers", words)
    for now_right, title in ((True, "Turned right"), (False, "Turned wrong")):
        places = np.intersect1d(found.turned(right=now_right), pair.among)
        places = places[np.argsort(pair.harder[places] if now_right else -pair.harder[places], kind="stable")]
        captions = [f"{pair.harder[p]:+.2f}" for p in places]
        _gallery(pair, title, places, captions, f"turned-{now_right}", "and by how much their hardness changed")


def _gallery(pair: Pair, title: str, places: np.ndarray, captions: list[str] | None, key: str, words: str) -> None:
    ids = pair.found.ids[places]
    gallery_head(title, ids, origin=title.lower(), key=f"{key}-select", words=words)
    clicked = gallery(pair.views[0], ids, key=key, captions=captions, size=40, most=SHOWN) if len(places) else None
    if clicked is not None:
        url_state.go(SAMPLE, clicked)
        st.rerun()


def _focus(pair: Pair) -> int | None:
    """The sample that is looked at: the one clicked, or the one that moved most."""
    known = [view.snapshot.position_of for view in pair.views]
    return url_state.number(
        SAMPLE,
        lambda identity: any(identity in side for side in known),
        fallback=int(pair.found.ids[pair.movers[0]]) if len(pair.movers) else None,
        words="sample",
    )


def _portrait(pair: Pair, focus: int) -> None:
    """One sample, and its neighbours in both."""
    has = [view for view in pair.views if focus in view.snapshot.position_of]
    near = [_near(view, focus) for view in has]
    shared = np.intersect1d(near[0], near[-1])
    facts = {"shared": f"{len(shared)} of {K} nearest"} if len(has) == 2 else {}
    for view, name in zip(pair.views, pair.names, strict=True):
        row = view.snapshot.position_of.get(focus)
        facts[name] = "not there" if row is None else f"hardness {float(view.snapshot.hardness[row]):+.2f}"
    image = pictures.picture(has[0], focus)
    theme.portrait(
        has[0].class_name(has[0].snapshot.position_of[focus]),
        facts,
        None if image is None else pictures.data_address(image, size=max(96, len(image))),
    )
    for view, ids in zip(has, near, strict=True):
        side = pair.views.index(view)
        theme.legend([(HUES[side], f"nearest in {pair.names[side]}", "")])
        where, labels = view.snapshot.position_of, view.snapshot.labels
        clicked = gallery(
            view,
            ids,
            key=f"near-{side}",
            borders=["right" if labels[where[int(i)]] == labels[where[focus]] else "wrong" for i in ids],
            captions=["both" if i in shared and len(has) == 2 else "" for i in ids],
            size=44,
        )
        if clicked is not None:
            url_state.go(SAMPLE, clicked)
            st.rerun()
    theme.caption("Blue edges: its class; vermilion: another.")


def _near(view: View, identity: int) -> np.ndarray:
    """Ids of the K nearest of a sample, (K,)."""
    row = view.snapshot.position_of[identity]
    return np.asarray(view.snapshot.ids)[np.asarray(view.snapshot.neighbours[row])[:K]]


# Which classes --------------------------------------------------------------------------------------------------------


def _classes(pair: Pair) -> None:
    changes = _changes(pair, *map(cached.stamp, pair.views))
    st.header("Which classes gained, which lost", anchor=False)
    theme.caption("Recall@1 of a class, dot to dot, from 0 to 100 %. Click a class to select it.")
    gained = [change for change in changes if change.gain > 0]
    lost = [change for change in reversed(changes) if change.gain < 0]
    left, right = st.columns(2, gap="large")
    with left:
        _ends(pair, gained, f"{len(gained)} of {len(changes)} classes gained", key="gained")
    with right:
        _ends(pair, lost, f"{len(lost)} of {len(changes)} lost", key="lost")


@st.cache_data(max_entries=8, show_spinner=False)
def _changes(_pair: Pair, *stamps: tuple) -> list[ClassChange]:
    return class_changes(_pair.classes, _pair.found.right)


def _ends(pair: Pair, changes: list[ClassChange], title: str, *, key: str) -> None:
    st.markdown(f"**{title}**")
    shown = [(change, _typical(pair, change)) for change in changes[:CLASSES]]
    picked = rails(pair.views[0], shown, key=key) if shown else None
    if picked is not None:
        selection.put(pair.found.ids[pair.classes == picked], origin=f"class {picked}")
        st.rerun()


def _typical(pair: Pair, change: ClassChange) -> int:
    """The id of a sample of a class that turned the way the class did."""
    places = np.flatnonzero(pair.classes == change.name)
    turned = np.intersect1d(places, pair.found.turned(right=change.gain > 0))
    return int(pair.found.ids[turned[0] if len(turned) else places[0]])


main()
