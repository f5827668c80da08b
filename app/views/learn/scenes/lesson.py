"""What a scene of Learn consists of: a story, a question and its true answer, an demo, a link to a real page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.views.learn.lessons import Question


@dataclass(frozen=True)
class Lesson:
    """What a scene shows of a view.

    story : what one must know to predict, and some more, which a speaker says instead
    value : the true answer to the question
    figure, caption : the answer as a large figure, and in words, again with some more
    takeaway : one sentence to keep
    demo : draws the interactive part; it is called with whether the answer may be seen
    link : words on the button to the real page, the page, and how it shall stand there
    """

    story: tuple[str, str]
    question: Question
    value: float
    figure: str
    caption: tuple[str, str]
    takeaway: str
    demo: Callable[[bool], None]
    link: tuple[str, str, Callable[[], dict[str, Any]]]


@dataclass(frozen=True)
class Missing:
    """Why a scene cannot be shown of a view."""

    words: str
    remedy: str
