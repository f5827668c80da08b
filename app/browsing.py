"""Whether the browser's Back or Forward brought the visitor here: then the address knows better than the session."""

from streamlit.runtime.scriptrunner import get_script_run_ctx


def walked() -> bool:
    """Whether this run of the script is owed to Back or Forward."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation
