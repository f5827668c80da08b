"""A run on its way: started on one page, pointed at on another, and opened once it is there."""

import streamlit as st

from app import jobs, state, theme

WATCHED = "watched"  # in the session: the name of the run that is looked at
STARTED = "started"  # in the session: one whose start is to be pointed at
ASKED_FOR = "asked-for"  # in the session: one to explore in the next run of the script


def go_on() -> None:
    """Go to the map of a run that was asked for."""
    name = st.session_state.pop(ASKED_FOR, None)
    if name is not None:
        state.look_at(name)
        st.switch_page("views/map/map.py")


def look_at_start(name: str) -> None:
    """A job was started: its status is looked at, and pointed at where it is out of sight."""
    st.session_state[WATCHED] = st.session_state[STARTED] = name


def show(job: jobs.Job) -> None:
    """A process without a run directory: on its way, or refused."""
    if job.alive:
        doing = "measuring and mapping" if job.verb == "snapshot" else "starting"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.progress(0.0, text=f"{job.name}: {doing} …")
            st.button("Cancel", key=f"cancel-{job.name}", type="tertiary", on_click=cancel, args=(job,))
        return
    theme.error_box(f"{job.name} did not start. {job.last_words or 'Its process ended without a word.'}")
    st.button("Dismiss", key=f"dismiss-{job.name}", on_click=jobs.forget, args=(job,))


def cancel(job: jobs.Job) -> None:
    """End its process and forget it."""
    job.cancel()
    jobs.forget(job)
