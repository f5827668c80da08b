"""The runs on the Train page: which there are, how the chosen one goes, and what can be done with it."""

import contextlib
import shutil
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from app import address, cached, jobs, starting, state, theme
from app.starting import STARTED, WATCHED
from app.views.train import live
from app.views.train.live import STATES
from app.views.train.scroll import scroll_to
from bon_core.base import paths
from bon_core.config import InputError, RunConfig
from bon_core.runs import store
from bon_core.runs.run import Run, Status

EVERY = 1.5  # seconds between two looks at an active run
KEY = "run-board"
NOT_SHOWN = {"device", "checkpoint_every", "evaluate_every", "audit_every"}  # settings that change no result


def watch() -> None:
    """The runs, and the one that is looked at: renewed by itself only while something is at work."""
    busy = any(run.status().active for run in store.list_runs()) or any(job.alive for job in jobs.known().values())
    started = st.session_state.pop(STARTED, None)
    with st.container(key=KEY):
        st.fragment(_board, run_every=EVERY if busy else None)(busy)
    if started is not None:
        st.toast(f"{started} is starting; watch it here.", icon=":material/play_arrow:")
        scroll_to(f".st-key-{KEY}", once=f"{started} {jobs.known()[started].ordered if started in jobs.known() else 0}")


def _board(was_busy: bool) -> None:
    waiting, found = jobs.waiting(), store.list_runs()
    for job in waiting:
        starting.show(job)
    if not found and not waiting:
        theme.empty("No run yet.", "Start one on the left: two minutes are enough for a first map.")
        return
    states = {run.name: _status(run) for run in found}
    if found:
        chosen = _chosen(states, [job.name for job in waiting])
        run = next(run for run in found if run.name == chosen)
        _actions(run, states[chosen])
        _making_a_map(run, states[chosen])
        live.follow(run, states[chosen])
        _settings(run)
        _all(found, states)
    active = any(status.active for status in states.values())
    if was_busy and not active and not any(job.alive for job in jobs.known().values()):
        st.rerun()  # nothing is left to wait for: the page as a whole learns of it, and renewing ends


def _chosen(states: dict[str, Status], waiting: list[str]) -> str:
    """The run that is looked at: the one chosen, else one at work, else the newest."""
    names = list(states)
    active = [name for name in names if states[name].active]
    wanted = st.session_state.get(WATCHED)
    first = wanted if wanted in names else (active or names)[0]
    if wanted not in waiting:  # one that starts is shown when there
        st.session_state[WATCHED] = first
    key = f"runs-{'-'.join(names)}"[:200]
    if st.session_state.get(key) != first:
        st.session_state[key] = first
    chosen = st.pills(
        "Runs",
        names,
        required=True,
        format_func=lambda name: f"{name} · {STATES[states[name].state]}",
        key=key,
        on_change=_watch_chosen,
        args=(key,),
        label_visibility="collapsed",
    )
    assert chosen is not None  # the session holds one of them
    return chosen


def _watch_chosen(key: str) -> None:
    st.session_state[WATCHED] = st.session_state[key]


def _status(run: Run) -> Status:
    """The run's status, and what became of the order to resume it, of which the run does not know yet or never will."""
    status, job = run.status(), jobs.known().get(run.name)
    if job is None or job.verb == "snapshot" or status.active or status.state == "finished":
        return status
    if job.ordered < status.updated:
        return status
    if job.alive:
        return replace(status, state="queued", message="Starting again.")
    return replace(status, state="failed", message=f"It was not resumed. {job.last_words}")


# What can be done with the run ----------------------------------------------------------------------------------------


def _actions(run: Run, status: Status) -> None:
    with st.container(horizontal=True, gap="small"):
        if run.snapshots() and st.button("Explore it", type="primary", icon=":material/scatter_plot:", key="explore"):
            st.session_state[starting.ASKED_FOR] = run.name
            st.rerun()
        if status.active:
            stopping = run.stop_requested()
            label = "Stopping …" if stopping else "Stop"
            if st.button(label, icon=":material/stop:", disabled=stopping, key="stop"):
                with contextlib.suppress(OSError):  # it was deleted a moment ago
                    run.request_stop()
                st.rerun(scope="fragment")
        busy = _is_worked_on(run)
        if _resumable(run, status) and st.button("Resume", icon=":material/resume:", key="resume", disabled=busy):
            _order(run, ["train", "--run", run.name, "--resume", "--queue"])
        if _lacks_a_map(run, status) and st.button(
            "Make its map",
            icon=":material/map:",
            key="make-map",
            disabled=busy,
            help=f"A checkpoint to explore: the network as it was at step {theme.count(status.step)}, when it ended."
            " It can be resumed afterwards.",
        ):
            _order(run, ["snapshot", "--run", run.name])
        if _config(run) is not None and st.button("Same settings again", icon=":material/content_copy:", key="again"):
            st.session_state[AGAIN] = run.name
            st.rerun()
        if not run.bundled and not status.active:
            _rename(run)
            with st.popover("Delete", icon=":material/delete:"):
                st.markdown(f"Delete **{run.name}** with its checkpoints and snapshots? This cannot be undone.")
                st.button("Delete it", key="delete", on_click=_delete, args=(run.path,))


def _order(run: Run, arguments: list[str]) -> None:
    try:
        jobs.start(run.name, arguments)
    except InputError as error:
        st.toast(str(error), icon=":material/warning:")
        return
    st.rerun()


def _resumable(run: Run, status: Status) -> bool:
    """One that failed goes on if it got as far as a checkpoint: when there is room on the disk again, say."""
    failed_later = status.state == "failed" and run.checkpoint.exists()
    return not run.bundled and (status.state in ("stopped", "interrupted") or failed_later)


def _lacks_a_map(run: Run, status: Status) -> bool:
    """Whether it ended before its map was made, with a checkpoint that one can be made of."""
    ended = status.state in ("stopped", "interrupted", "failed")
    return ended and not run.bundled and run.checkpoint.exists() and status.step not in run.snapshots()


def _is_worked_on(run: Run) -> bool:
    """Whether a process of the page's still has to do with the run: makes its map, or ends after its training."""
    job = jobs.known().get(run.name)
    return job is not None and job.alive


def _making_a_map(run: Run, status: Status) -> None:
    """How far its map is, or why there is none."""
    job = jobs.known().get(run.name)
    if job is None or job.verb != "snapshot":
        return
    if job.alive:
        stage, share = _stage(run, since=job.ordered)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.progress(share, text=f"Making its map of step {theme.count(status.step)}: {stage} …")
            st.button("Cancel", key="cancel-map", type="tertiary", on_click=starting.cancel, args=(job,))
    elif not job.ended_well and status.step not in run.snapshots():
        theme.error_box(f"Its map was not made. {job.last_words or 'The process ended without a word.'}")


def _stage(run: Run, *, since: float) -> tuple[str, float]:
    """What the process that makes a map does, and the share that is done."""
    from datetime import datetime

    with contextlib.suppress(InputError, ValueError, TypeError):
        for line in reversed(run.logged()[-20:]):
            if line.get("what") == "survey" and datetime.fromisoformat(str(line["time"])).timestamp() >= since:
                return str(line["stage"]), min(max(float(line["share"]), 0.0), 1.0)
    return "loading", 0.0


def _rename(run: Run) -> None:
    with st.popover("Rename", icon=":material/edit:"), st.form("rename", border=False):
        name = st.text_input("New name", value=run.name, max_chars=64, key=f"rename-{run.name}").strip()
        if st.form_submit_button("Rename it") and name != run.name:
            try:
                _give_name(run, name)
            except InputError as error:
                theme.error_box(str(error))
            else:
                st.rerun()


def _give_name(run: Run, name: str) -> None:
    if jobs.is_taken(store.check_name(name)):
        raise InputError(f"There is already a run named {name}; choose another name.")
    job = jobs.known().get(run.name)
    store.rename(run, name)
    if job is not None:
        jobs.rename(job, name)
    st.session_state[WATCHED] = name
    for menu in ("run", "other"):
        if address.value(menu) == run.name:
            address.choose(menu, name)


def _delete(path: Path) -> None:
    """Delete one of the user's runs, unless another visitor has just set it to work; a link goes, not what it names."""
    if path.parent == paths.runs_folder() and not Run(path).status().active:
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)
        job = jobs.known().get(path.name)
        if job is not None and not path.exists():
            job.cancel()
            jobs.forget(job)


# Settings -------------------------------------------------------------------------------------------------------------

AGAIN = "same-again"  # in the session: the run whose settings the form is to take


def settings_asked_for() -> RunConfig | None:
    """The settings of the run whose button "Same settings again" was pressed, once."""
    name = st.session_state.pop(AGAIN, None)
    run = next((run for run in store.list_runs() if run.name == name), None)
    return None if run is None else _config(run)


def _config(run: Run) -> RunConfig | None:
    """The settings of a run that was trained; None for embeddings that were brought, or a damaged config."""
    return _config_of(run.path, _stamp(run))


def _stamp(run: Run) -> tuple[int, ...]:
    """Changes when the run's settings, state or snapshots do."""
    files = [run.path / "config.json", run.path / "status.json"]
    files += [run.snapshot_path(step) / "meta.json" for step in run.snapshots()[-1:]]
    return tuple(state.changed(path) for path in files)


@lru_cache(maxsize=512)
def _config_of(path: Path, stamp: tuple[int, ...]) -> RunConfig | None:
    run = Run(path)
    try:
        if run.snapshots() and run.snapshot().meta["origin"] != "trained":
            return None
        return run.config
    except InputError:
        return None


def _settings(run: Run) -> None:
    """All settings of a trained run, first those that are not the defaults."""
    config = _config(run)
    if config is None:
        return
    rows = [
        {"setting": name.replace("_", " "), "value": _told(value), "default": _told(default)}
        for name, value, default in _flat(config)
    ]
    rows.sort(key=lambda row: row["value"] == row["default"])
    with st.expander("Settings"):
        st.dataframe(rows, hide_index=True, height=min(38 + 35 * len(rows), 320), key="run-settings")


def _flat(config: RunConfig) -> list[tuple[str, Any, Any]]:
    """(name, value, default) of each setting."""
    found = []
    for section in fields(RunConfig):
        part = getattr(config, section.name)
        for setting in fields(part):
            if setting.name not in NOT_SHOWN:
                name = "data" if setting.name == "name" else setting.name
                found.append((name, getattr(part, setting.name), setting.default))
    return found


def _told(value: object) -> str:
    return "auto" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _all(found: list[Run], states: dict[str, Status]) -> None:
    """All runs beside one another, where there are several."""
    if len(found) < 2:
        return
    with st.expander(f"All {theme.count(len(found))} runs in a table"):
        rows = [_row(run, states[run.name]) for run in found]
        event = st.dataframe(
            rows,
            hide_index=True,
            on_select="rerun",
            selection_mode="single-row",
            key="run-table",
            column_config={
                measure: st.column_config.NumberColumn(format="%.1f %%") for measure in ("Recall@1", "MAP@R")
            },
        )
        theme.caption("Held-out Recall@1 and MAP@R. Choose a row to look at the run above; click a heading to sort.")
    picked = event["selection"]["rows"]
    if picked and picked[0] < len(found) and st.session_state.get("run-picked") != (name := found[picked[0]].name):
        st.session_state["run-picked"] = st.session_state[WATCHED] = name
        st.rerun(scope="fragment")


def _row(run: Run, status: Status) -> dict[str, Any]:
    config, figures = _config(run), _figures(run.path, _stamp(run))
    return {
        "run": run.name,
        "state": STATES[status.state],
        "Recall@1": figures.get("recall@1"),
        "MAP@R": figures.get("map@r"),
        "miner": config.mining.miner if config else "",
        "learners": config.division.learners if config else None,
        "epochs": config.training.epochs if config and config.training.minutes is None else None,
        "minutes": config.training.minutes if config else None,
        "data": Path(config.data.name).name if config else "brought",
        "seed": config.training.seed if config else None,
    }


@lru_cache(maxsize=512)
def _figures(path: Path, stamp: tuple[int, ...]) -> dict[str, float]:
    """Held-out Recall@1 and MAP@R in percent: of the newest snapshot, else of the last evaluation."""
    found: dict[str, Any] = {}
    run = Run(path)
    with contextlib.suppress(InputError):
        if run.snapshots():
            metrics = run.snapshot().metrics
            found = metrics.get("test") or metrics.get("validation") or {}
        else:
            found = next((event for event in reversed(cached.events(run)) if event["kind"] == "evaluation"), {})
    return {name: 100 * found[name] for name in ("recall@1", "map@r") if isinstance(found.get(name), int | float)}
