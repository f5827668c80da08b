"""The last resort: whatever goes wrong in a view is said in a sentence, and the traceback goes to the log."""

import logging

from app import theme
from app.server import NONE_LEFT, none_left, say_none_left
from bon_core.config import InputError

log = logging.getLogger("explorer")


def handle_error(error: Exception) -> bool:
    """Say what happened; True tells Streamlit that the error has been shown."""
    if isinstance(error, InputError):
        theme.error_box(str(error))
    elif none_left(error):
        say_none_left()
        theme.error_box(NONE_LEFT)
    else:
        log.exception("a view failed", exc_info=error)
        theme.error_box(
            f"This view could not be drawn ({type(error).__name__}); the other pages still work. The details are in"
            " the terminal in which the explorer was started."
        )
    return True
