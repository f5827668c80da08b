"""Predict, then reveal: a question with three answers to choose from, and the figure once one has chosen."""

import html

import streamlit as st

from app.views.learn.lessons import Question

NARROW = "\u00a0%"  # a line never begins with the sign
ANSWERS = "answers"  # in the session: key of a question -> the choice, -1 for none


def revealed(key: str) -> bool:
    """Whether the answer to the question `key` has been shown."""
    return key in _answers()


def predict(question: Question, value: float, *, key: str, figure: str, caption: str) -> None:
    """Draw the question, or its answer when there is a prediction.

    Parameters
    ----------
    value : the true one
    key : of the question; a new key asks anew
    figure, caption : the answer as a large figure and as a sentence
    """
    st.html(f'<p class="ask">{html.escape(question.words)}</p>')
    if revealed(key):
        _answer(question, question.right(value), _answers()[key], figure, caption)
        return
    for number, words in enumerate(question.choices):
        st.button(
            words,
            key=f"choice-{number}",
            shortcut=str(number + 1),
            width="stretch",
            on_click=_say,
            args=(key, number),
        )


def ask_or_show(key: str, *, presenting: bool) -> None:
    """The button that shows the answer without a prediction, or hides it again.

    While presenting, Space shows it; Enter is left to the button that has the focus.
    """
    if revealed(key):
        st.button("Ask again", key="again", icon=":material/replay:", type="tertiary", on_click=_forget, args=(key,))
        return
    st.button(
        "Show the answer",
        key="reveal",
        type="tertiary",
        shortcut="Space" if presenting else None,
        icon=":material/visibility:",
        on_click=_say,
        args=(key, -1),
    )


def _answer(question: Question, right: int, said: int, figure: str, caption: str) -> None:
    lines = []
    for number, words in enumerate(question.choices):
        if number in (right, said):
            kind, mark = ("right", "✓") if number == right else ("wrong", "✗")
            yours = " <small>your prediction</small>" if number == said else ""
            lines.append(f'<li class="{kind}"><i>{mark}</i><span>{html.escape(words)}{yours}</span></li>')
    st.html(
        f'<div class="answer" role="status"><ul>{"".join(lines)}</ul>'
        f'<div class="value">{html.escape(figure.replace(" %", NARROW))}</div>'
        f"<p>{html.escape(caption.replace(' %', NARROW))}</p></div>"
    )


def _say(key: str, choice: int) -> None:
    _answers()[key] = choice


def _forget(key: str) -> None:
    _answers().pop(key, None)


def _answers() -> dict[str, int]:
    return st.session_state.setdefault(ANSWERS, {})
