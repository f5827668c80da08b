"""One thread at a time in the methods of an object that many threads share."""

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any


class Lock:
    """A re-entrant lock for `with`. A copy or a pickle of it is a new, open one: its object is another, too."""

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Lock, ()


def one_at_a_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of an object with a `_lock`: two threads inside at once would write one table twice."""

    @wraps(method)
    def alone(self: Any, *arguments: Any, **named: Any) -> Any:
        with self._lock:
            return method(self, *arguments, **named)

    return alone
