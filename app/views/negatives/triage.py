"""Triage: step through the samples whose labels look wrong, most suspicious first, and say what each one is.

Verdicts are kept with the run, by sample.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import streamlit as st

from app import address, selection, sidecar, theme, url_state
from app.names import apart
from app.view import View
from app.widgets.primitives.board import Sheet, board, text
from app.widgets.tools.take_away import take_away
from bon_core.config import InputError
from bon_core.evaluation.suspicion import Suspicion
from bon_core.runs.run import Run

FILE = "verdicts"
MINE = "verdicts-of-mine"  # in the session
VERDICTS = {"1": "label error", "2": "true look-alike", "3": "fine"}
SHADES = {"label error": theme.VERMILION, "true look-alike": theme.ORANGE, "fine": theme.GREEN}
PAGE = 40  # suspects in the gallery at once
NAME, HEADING = 9, 40  # columns of a class's name in the gallery and in the heading
KIN = 8  # pictures of each of the two classes

CSS = """
.suspect {display: grid; grid-template-columns: auto 1fr; gap: 6px 18px; align-items: start}
.suspect .big {--size: 132px !important; grid-row: 1 / 3}
.suspect .big .face, .suspect .big .word {border: 1px solid rgba(128,128,128,.3)}
.suspect .kin {display: grid; gap: 3px; --size: 40px !important}
.suspect .kin b {font-weight: 620; font-size: 14px; overflow-wrap: anywhere; display: -webkit-box; overflow: hidden;
  -webkit-box-orient: vertical; -webkit-line-clamp: 2}
.suspect .kin div {display: flex; flex-wrap: wrap; gap: 3px}
@media (max-width: 560px) {.suspect .big {--size: 96px !important} .suspect .kin {--size: 30px !important}}
"""
RANKED_CSS = """
.ranked {display: grid; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); gap: 6px}
.board .ranked button {border: 1px solid rgba(128,128,128,.22); border-left: 4px solid var(--said); padding: 4px 5px;
  border-radius: 6px; display: grid; grid-template-columns: auto 1fr; gap: 0 7px; align-items: center}
.board .ranked .here {outline: 2px solid var(--st-primary-color); outline-offset: 1px}
.ranked .labels {font-size: 13px; line-height: 1.25; min-width: 0; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap}
.ranked .labels b {display: block; font-weight: 620; overflow: hidden; text-overflow: ellipsis}
"""


@dataclass(frozen=True)
class Verdicts:
    """What was said of which sample, in the order in which it was said, by all who look at the run."""

    said: dict[int, str] = field(default_factory=dict)  # id -> verdict

    @classmethod
    def of(cls, run: Run) -> "Verdicts":
        """Those kept with the run; raises InputError if their file is damaged."""
        known = {}
        for key, value in sidecar.read(run, FILE).items():
            identity, verdict = address.whole(str(key)), str(value)
            if identity is None or verdict not in SHADES:
                raise InputError(
                    f"{sidecar.path_of(run, FILE)} holds something that is no verdict; repair or remove it."
                )
            known[identity] = verdict
        return cls(known)


def say(run: Run, identity: int, verdict: str) -> None:
    """Judge a sample; what others say of other samples meanwhile stays. Raises InputError if it cannot be kept."""
    before = None

    def with_it(said: dict[str, str]) -> dict[str, str]:
        nonlocal before
        rest = dict(said)
        before = rest.pop(str(identity), None)
        return {**rest, str(identity): verdict}

    sidecar.change(run, FILE, with_it)
    _mine(run).append((identity, verdict, before))


def undo(run: Run) -> int | None:
    """Take this visitor's last verdict back, or the last of all after a reload; the sample that it was about.

    What was said of the sample before counts again; what somebody else has judged anew stays. None if there is nothing
    to take back. Raises InputError as `say`.
    """
    back, mine = None, _mine(run)

    def without(said: dict[str, str]) -> dict[str, str]:
        nonlocal back
        own = [one for one in mine if said.get(str(one[0])) == one[1]]
        if not said or (mine and not own):
            return said
        back, _, before = own[-1] if own else (int(next(reversed(said))), "", None)
        rest = {key: verdict for key, verdict in said.items() if key != str(back)}
        return rest if before is None else {**rest, str(back): before}

    sidecar.change(run, FILE, without)
    mine[:] = [one for one in mine if one[0] != back]
    return back


def _mine(run: Run) -> list[tuple[int, str, str | None]]:
    """What this visitor has said of the run, oldest first: sample, verdict, and what was said of it before."""
    return st.session_state.setdefault(MINE, {}).setdefault(str(run.path), [])


@st.fragment
def triage(view: View, found: Suspicion, listed: np.ndarray) -> None:
    """Draw it. `found` is about the view's rows; `listed` (n,) are the places among them to judge, in order."""
    try:
        verdicts = Verdicts.of(view.run)
    except InputError as error:
        theme.error_box(str(error))
        return
    ids = view.ids[listed]
    fallback = next((int(identity) for identity in ids if int(identity) not in verdicts.said), int(ids[0]))
    here = url_state.number("suspect", lambda identity: identity in ids, fallback=fallback, words="suspect")
    at = int(np.flatnonzero(ids == here)[0])
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        _suspect(view, found, listed, at)
        _buttons(view.run, verdicts, ids, at)
    with right:
        _ranked(view, found, listed, at, verdicts)
        _all(view, found, listed, verdicts)


# The one that is looked at --------------------------------------------------------------------------------------------


def _suspect(view: View, found: Suspicion, listed: np.ndarray, at: int) -> None:
    row = int(listed[at])
    label, other = view.class_name(view.rows[row]), view.snapshot.class_names[found.suspected[row]]
    short = [apart(view.short(number, HEADING)) for number in (_label(view, row), found.suspected[row])]
    st.header(f"Labelled {theme.plain(short[0])}. Is it {theme.plain(short[1])}?", anchor=False)
    groups = [
        (name, _kin(view, row, number)) for name, number in ((label, _label(view, row)), (other, found.suspected[row]))
    ]
    ids = view.ids
    sheet = Sheet(view, [ids[row], *(ids[kin] for _, rows in groups for kin in rows)], size=40)
    strips = "".join(
        f'<div class="kin"><b title="{text(name)}"><bdi>{text(name)}</bdi></b>'
        f"<div>{''.join(sheet.face(ids[kin]) for kin in rows)}</div></div>"
        for name, rows in groups
    )
    board(
        f'<div class="suspect" style="{sheet.style}"><span class="big">{sheet.face(ids[row])}</span>{strips}</div>',
        key="suspect-board",
        css=CSS,
    )
    theme.caption(_evidence(view, found, row, *short))


def _kin(view: View, row: int, label: int) -> np.ndarray:
    """The members of a class that are nearest to a sample, which is not among them."""
    from app import cached

    members = np.flatnonzero(np.asarray(view.snapshot.labels)[view.rows] == label)
    members = members[members != row]
    vectors = cached.vectors(view)
    away = np.linalg.norm(vectors[members].astype(np.float64) - vectors[row], axis=1)
    return members[np.argsort(away, kind="stable")[:KIN]]


def _label(view: View, row: int) -> int:
    return int(view.snapshot.labels[view.rows[row]])


def _evidence(view: View, found: Suspicion, row: int, label: str, other: str) -> str:
    near = np.asarray(view.snapshot.labels)[np.asarray(view.snapshot.neighbours[view.rows[row]])]
    votes = [int((near == number).sum()) for number in (found.suspected[row], _label(view, row))]
    caption = (
        f"Above, the nearest of each class. Of its {len(near)} nearest neighbours {votes[0]} are {other} and"
        f" {votes[1]} are {label}."
    )
    if found.met[row]:
        caption += (
            f" In training it met {other} in {theme.count(found.met[row])} recorded triplets, and in"
            f" {theme.count(found.harder[row])} of them the two were nearer than the anchor to its own class."
        )
    return caption


def _buttons(run: Run, verdicts: Verdicts, ids: np.ndarray, at: int) -> None:
    here = int(ids[at])

    def go(to: int) -> None:
        url_state.go("suspect", int(ids[min(max(to, 0), len(ids) - 1)]))

    def judge(verdict: str) -> None:
        try:
            say(run, here, verdict)
        except InputError as error:
            st.toast(str(error), icon=":material/warning:")
        else:
            go(at + 1)

    def take_back() -> None:
        try:
            back = undo(run)
        except InputError as error:
            st.toast(str(error), icon=":material/warning:")
        else:
            if back is not None and back in ids:
                url_state.go("suspect", back)

    with st.container(horizontal=True, gap="small"):
        for key, verdict in VERDICTS.items():
            kind: Literal["primary", "secondary"] = "primary" if verdicts.said.get(here) == verdict else "secondary"
            words = verdict.capitalize()
            st.button(words, key=f"verdict-{key}", shortcut=key, type=kind, on_click=judge, args=(verdict,))
    with st.container(horizontal=True, gap="small"):
        st.button("Back", key="triage-back", shortcut="k", on_click=go, args=(at - 1,), type="tertiary")
        st.button("Next", key="triage-next", shortcut="j", on_click=go, args=(at + 1,), type="tertiary")
        none = not verdicts.said
        st.button("Undo", key="triage-undo", shortcut="u", on_click=take_back, type="tertiary", disabled=none)


# All of them ----------------------------------------------------------------------------------------------------------


def _ranked(view: View, found: Suspicion, listed: np.ndarray, at: int, verdicts: Verdicts) -> None:
    judged = sum(int(identity) in verdicts.said for identity in view.ids[listed])
    st.progress(judged / len(listed), text=f"{theme.count(judged)} of {theme.count(len(listed))} judged")
    first = at // PAGE * PAGE
    shown = listed[first : first + PAGE]
    ids = [int(identity) for identity in view.ids[shown]]
    sheet = Sheet(view, ids, size=38)
    cards = []
    for number, (row, identity) in enumerate(zip(shown, ids, strict=True)):
        label, other = view.class_name(view.rows[row]), view.snapshot.class_names[found.suspected[row]]
        shorts = [view.short(number, NAME) for number in (_label(view, row), found.suspected[row])]
        face = sheet.face(identity) if sheet.sprite else ""  # without pictures the names stand beside it anyway
        said = verdicts.said.get(identity, "")
        words = f"{first + number + 1}. labelled {label}, perhaps {other}" + (f": {said}" if said else "")
        here, shade = "here" if first + number == at else "", SHADES.get(said, "rgba(128,128,128,.22)")
        cards.append(
            f'<button type="button" class="{here}" style="--said:{shade}" data-pick="{identity}" title="{text(words)}"'
            f' aria-label="{text(words)}">'
            f'{face}<span class="labels"><span class="dim"><bdi>{text(shorts[0])}</bdi></span>'
            f"<b>→ <bdi>{text(shorts[1])}</bdi></b></span></button>"
        )
    picked = board(f'<div class="ranked" style="{sheet.style}">{"".join(cards)}</div>', key="suspects", css=RANKED_CSS)
    theme.legend(
        [(shade, verdict, str(list(verdicts.said.values()).count(verdict))) for verdict, shade in SHADES.items()]
    )
    theme.caption(
        f"{first + 1} to {first + len(shown)} of {theme.count(len(listed))}, most suspicious first: the label, and"
        " below it the suspected class."
    )
    if picked is not None:
        url_state.go("suspect", int(picked))
        st.rerun(scope="fragment")


def _all(view: View, found: Suspicion, listed: np.ndarray, verdicts: Verdicts) -> None:
    errors = np.array([i for i, verdict in verdicts.said.items() if verdict == "label error"], np.int64)
    with st.container(horizontal=True, gap="small"):
        take_away(lambda: as_table(view, found, listed, verdicts), name=f"{view.run.name}-suspects", key="suspects")
        words = f"Select the {theme.count(len(errors))} label errors"
        if st.button(words, icon=":material/select:", disabled=not len(errors), key="triage-select"):
            selection.put(errors, origin="label errors")
            st.rerun(scope="app")


def as_table(view: View, found: Suspicion, listed: np.ndarray, verdicts: Verdicts) -> dict[str, np.ndarray]:
    """The list with its evidence, and what was said of each; samples that were judged but are not listed come last."""
    others = np.flatnonzero(np.isin(view.ids, list(verdicts.said)))
    rows = np.concatenate([listed, np.setdiff1d(others, listed)])
    names = np.array(view.snapshot.class_names)
    positions = view.rows[rows]
    known = {name: np.array(values)[codes[positions]] for name, (codes, values) in view.snapshot.fields.items()}
    table = {
        "id": view.ids[rows],
        "label": names[np.asarray(view.snapshot.labels)[positions]],
        "suspected": names[found.suspected[rows]],
        "verdict": np.array([verdicts.said.get(int(identity), "") for identity in view.ids[rows]]),
        "score": found.score[rows],
        "vote": found.vote[rows],
        "excess": found.excess[rows],
        "times_met": found.met[rows],
        "times_nearer_than_own_class": found.harder[rows],
        "nearest_of_suspected": view.ids[found.witness[rows]],
    }
    file = {"file": known.pop("file")} if "file" in known else {}
    return {"id": table.pop("id"), **file, **table, **{_free(name, table): column for name, column in known.items()}}


def _free(name: str, taken: Collection[str]) -> str:
    """A name for a column of the data set beside those of the list."""
    return f"field_{name}" if name in taken or name == "id" else name
