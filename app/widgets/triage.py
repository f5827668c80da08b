"""Triage: step through pairs of samples that training kept pushing apart, and say what each pair is."""

import io
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import streamlit as st

from app import selection, theme
from app.analysis.miners import Pairs
from app.state import View
from app.widgets.gallery import gallery

FRAME = "rgba(128, 128, 128, 0.35)"
VERDICTS = {"1": "label error", "2": "true look-alike", "3": "fine"}


@dataclass
class Verdicts:
    """Which pair is shown, and what was said of each, in the order in which it was said."""

    place: int = 0
    said: dict[int, str] = field(default_factory=dict)  # place -> verdict

    def say(self, verdict: str, last: int) -> None:
        self.said.pop(self.place, None)
        self.said[self.place] = verdict
        self.move(1, last)

    def move(self, by: int, last: int) -> None:
        self.place = min(max(self.place + by, 0), last)

    def undo(self) -> None:
        if self.said:
            self.place, _ = self.said.popitem()


@st.fragment
def show(view: View, pairs: Pairs) -> None:
    """Draw the triage of a run's hardest mined pairs; verdicts last as long as the session."""
    if not len(pairs):
        theme.empty(
            "No mined negative was nearer than its positive.",
            "The model finds this data easy: nothing looks mislabelled.",
        )
        return
    verdicts = _verdicts(view)
    last = len(pairs) - 1
    theme.quiet(
        f"{len(pairs)} pairs of different classes that were nearer to each other than to their own class, most often"
        " and by most,"
        " in the last third of the training. Two pictures that stay together against all pushing either look alike,"
        " or one of them has a wrong label."
    )
    st.progress(len(verdicts.said) / len(pairs), text=f"{len(verdicts.said)} of {len(pairs)} judged")
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        _pair(view, pairs, verdicts.place)
        _buttons(verdicts, last)
    with right:
        _evidence(view, pairs, verdicts.place)
        _take_away(view, pairs, verdicts)


def _verdicts(view: View) -> Verdicts:
    kept = st.session_state.setdefault("verdicts", {})
    return kept.setdefault(view.run.name, Verdicts())


def _pair(view: View, pairs: Pairs, place: int) -> None:
    ids = np.array([pairs.one[place], pairs.other[place]])
    names = [_name(view, identity) for identity in ids]
    st.subheader(f"{names[0]}  or  {names[1]}?", anchor=False)
    gallery(view, ids, key="triage-pair", captions=names, size=150, borders=[FRAME] * 2)
    theme.figures(
        [
            (f"{place + 1} / {len(pairs)}", "pair", ""),
            (theme.count(pairs.times[place]), "times too near", "nearer to each other than the anchor to its positive"),
            (f"{pairs.nearest[place]:.2f}", "nearest", "smallest distance at which they met"),
            (
                f"{pairs.pull[place]:.2f}",
                "excess",
                "by how much they were nearer than the positive, summed over all times",
            ),
        ]
    )


def _buttons(verdicts: Verdicts, last: int) -> None:
    said = verdicts.said.get(verdicts.place)
    with st.container(horizontal=True, gap="small"):
        for key, verdict in VERDICTS.items():
            st.button(
                verdict.capitalize(),
                key=f"verdict-{key}",
                shortcut=key,
                type="primary" if said == verdict else "secondary",
                on_click=verdicts.say,
                args=(verdict, last),
            )
    with st.container(horizontal=True, gap="small"):
        st.button("Back", key="triage-back", shortcut="k", on_click=verdicts.move, args=(-1, last), type="tertiary")
        st.button("Next", key="triage-next", shortcut="j", on_click=verdicts.move, args=(1, last), type="tertiary")
        st.button(
            "Undo", key="triage-undo", shortcut="u", on_click=verdicts.undo, type="tertiary", disabled=not verdicts.said
        )


def _evidence(view: View, pairs: Pairs, place: int) -> None:
    """Whose company each of the two keeps: a label error stands among samples of the other class."""
    st.subheader("Whose company they keep", anchor=False)
    where, snapshot = view.snapshot.position_of, view.snapshot
    ends = (int(pairs.one[place]), int(pairs.other[place]))
    for identity, other in (ends, ends[::-1]):
        if identity not in where:
            continue
        row = where[identity]
        near = np.asarray(snapshot.neighbours[row])
        labels = np.asarray(snapshot.labels)[near]
        own = int((labels == snapshot.labels[row]).sum())
        rival = int((labels == snapshot.labels[where[other]]).sum()) if other in where else 0
        theme.quiet(
            f"Of the {len(near)} nearest to this {_name(view, identity)}, {own} are of its class and {rival} of the"
            " other's."
        )
        sides = ["right" if label == snapshot.labels[row] else "wrong" for label in labels[:10]]
        gallery(view, np.asarray(snapshot.ids)[near[:10]], key=f"company-{identity == ends[0]}", borders=sides, size=40)
    theme.legend([(theme.RIGHT, "its class", ""), (theme.WRONG, "another class", "")])


def _take_away(view: View, pairs: Pairs, verdicts: Verdicts) -> None:
    errors = [place for place, verdict in verdicts.said.items() if verdict == "label error"]
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Verdicts as CSV",
            data=as_csv(view, pairs, verdicts),
            file_name=f"{view.run.name}-verdicts.csv",
            mime="text/csv",
            icon=":material/download:",
            disabled=not verdicts.said,
            on_click="ignore",
        )
        if st.button("Select the label errors", icon=":material/select:", disabled=not errors, key="triage-select"):
            selection.put(np.concatenate([pairs.one[errors], pairs.other[errors]]), origin="label errors")
            st.rerun(scope="app")


def as_csv(view: View, pairs: Pairs, verdicts: Verdicts) -> bytes:
    """One line a verdict, in the order in which they were given."""
    places = list(verdicts.said)
    table = pd.DataFrame(
        {
            "one": pairs.one[places],
            "one_class": [_name(view, identity) for identity in pairs.one[places]],
            "other": pairs.other[places],
            "other_class": [_name(view, identity) for identity in pairs.other[places]],
            "times_mined": pairs.times[places],
            "nearest": np.round(pairs.nearest[places], 4),
            "verdict": list(verdicts.said.values()),
        }
    )
    file = io.StringIO()
    table.to_csv(file, index=False)
    return file.getvalue().encode("utf-8")


def _name(view: View, identity: int) -> str:
    row = view.snapshot.position_of.get(int(identity))
    return "gone" if row is None else view.class_name(row)
