"""Train: start a training, watch it, stop it; it goes on without this page."""

import contextlib
import shutil
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import jobs, live, state, theme
from app.uploads import TrainingPart, has_folders, training_part
from bon_core import runs
from bon_core.config import (
    IMAGE_BACKBONES,
    VECTOR_BACKBONES,
    ClusterFeature,
    DataConfig,
    DivisionConfig,
    InBatchMiner,
    InputError,
    Loss,
    Masks,
    Matching,
    Miner,
    MiningConfig,
    NetworkConfig,
    TestNorm,
    TrainingConfig,
)
from bon_core.datasets import NAMED_SETS
from bon_core.datasets.here import is_here

GUESSED_STEP_MS = {  # of 128 samples on two cores, before anything was measured here; of images those of 32 px
    "conv4": 110.0,
    "efficientnet-lite0": 600.0,
    "linear": 6.0,
    "mlp": 8.0,
}
MOST_EPOCHS = 100  # of a head on vectors, whatever the minutes
BACKBONE_HELP = {
    "images": "efficientnet-lite0 is for photographs",
    "vectors": "linear: one layer over your vectors; mlp: a perceptron beside them, which overfits few classes",
}
MINERS = {
    "bon": "Bag of Negatives: bucket mates by hashing",
    "uniform": "uniform: classes by chance",
    "lsh": "LSH: buckets of random hyperplanes",
    "exact": "exact: nearest samples, renewed each epoch",
    "neighbours": "class neighbours: nearest centroids",
    "xbm": "XBM: uniform, with a memory across batches",
    "distance-weighted": "uniform, distance-weighted inside",
    "batch-hard": "uniform, batch-hard inside",
    "semi-hard": "uniform, semi-hard inside",
    "multi-similarity": "uniform, multi-similarity inside",
}
EVERY = 1.5  # seconds between two looks at an active run


def main() -> None:
    _explore(st.session_state.pop("asked-for", None))
    theme.style()
    state.header()
    state.heading("Train", "A training goes on when you close this page. Several queue up, one after the other.")
    form, runs_column = st.columns([1, 2.2], gap="large")
    with form:
        _form()
    with runs_column:
        _watch()


def _explore(name: str | None) -> None:
    """Go to the map of a run that was asked for."""
    if name is not None:
        state.look_at(name)
        st.switch_page("views/map.py")


def _form() -> None:
    """Settings, what they will cost, and the button."""
    given = _data()
    level = theme.class_level("train-level") if given and _has_folders(given) else None
    brought = _brought(given, level)
    miner = st.selectbox("Miner", get_args(Miner), format_func=MINERS.get, key="train-miner")
    left, right = st.columns(2)
    learners = left.number_input(
        "Learners K",
        1,
        32,
        _default(DivisionConfig, "learners"),
        help="1 trains one undivided embedding",
        key="train-learners",
    )
    minutes = right.number_input("Minutes", 0.2, 600.0, 2.0, 0.5, help="The budget; turned into epochs below")
    with st.expander("More settings"):
        more = _more(brought, miner)
    if learners > 1:
        with st.expander("Divide and conquer"):
            more |= _division()
    epochs = more.pop("--epochs") or _epochs(given, brought, minutes, more)
    suggested = jobs.free_name(f"{_stem(given)}-{miner}-k{learners}")
    name = st.text_input("Name of the run", key="train-name", placeholder=suggested).strip() or suggested
    folders = {} if level is None else {"--class-level": level}
    options = {
        "--data": given,
        **folders,
        "--miner": miner,
        "--learners": learners,
        "--epochs": f"{epochs:.3g}",
        **more,
    }
    if st.button("Start training", type="primary", width="stretch", icon=":material/play_arrow:", key="train-start"):
        _start(name, options)
    with st.expander("The same on the command line"):
        st.code(f"python -m bon_core train {_spelled(options)} --run {name}", language="bash", wrap_lines=True)


def _data() -> str:
    """The data set's name or path."""
    brought = st.session_state.get("train-data")
    choices = [*([brought] if brought else []), *NAMED_SETS, "a path …"]
    chosen = st.selectbox("Data", choices, key="train-data-choice")
    if chosen != choices[-1]:
        return chosen
    return st.text_input(
        "Images in a folder, zip or npz, vectors, or hf:NAME",
        key="train-path",
        placeholder="~/pictures/birds or vectors.npy",
    ).strip()


def _more(brought: TrainingPart | None, miner: str) -> dict[str, object]:
    """Options that have good defaults; the batch takes no more classes than the data has."""
    most = brought.classes if brought else 4096
    left, right = st.columns(2)
    kind = brought.kind if brought else "images"
    backbones = VECTOR_BACKBONES if kind == "vectors" else IMAGE_BACKBONES
    backbone = left.selectbox("Backbone", backbones, help=BACKBONE_HELP[kind], key=f"backbone-of-{kind}")
    loss = right.selectbox("Loss", get_args(Loss))
    chooses = miner in get_args(InBatchMiner)
    in_batch = left.selectbox(
        "Choice inside a batch",
        [miner] if chooses else get_args(InBatchMiner),
        disabled=chooses,
        key=f"in-batch-of-{miner if chooses else 'composers'}",
    )
    dim = right.number_input("Embedding width D", 2, 4096, _default(NetworkConfig, "dim"))
    margin = left.number_input("Margin", 0.01, 2.0, _default(TrainingConfig, "margin"), 0.05)
    rate = right.number_input("Learning rate", 1e-5, 1.0, _default(TrainingConfig, "learning_rate"), format="%.4f")
    default = min(_default(MiningConfig, "classes"), most)
    classes = left.number_input("Classes P in a batch", 2, max(most, 2), max(default, 2), key=f"classes-of-{most}")
    images = right.number_input(f"{kind.capitalize()} m a class", 2, 64, _default(MiningConfig, "images"))
    seed = left.number_input("Seed", 0, 2**31 - 1, _default(TrainingConfig, "seed"))
    epochs = right.number_input("Epochs, not minutes", 0.0, 1e5, 0.0, help="0: by the minutes above")
    return {
        "--backbone": backbone,
        "--loss": loss,
        "--in-batch": in_batch,
        "--dim": dim,
        "--margin": f"{margin:g}",
        "--lr": f"{rate:g}",
        "--classes": classes,
        "--images": images,
        "--groups": min(_default(MiningConfig, "groups"), classes),
        "--seed": seed,
        "--epochs": epochs,
    }


def _division() -> dict[str, object]:
    """When and how the learners work apart."""

    def share(column: DeltaGenerator, label: str, name: str, text: str) -> str:
        return f"{column.number_input(label, 0.0, 1.0, _default(DivisionConfig, name), 0.05, help=text):g}"

    left, right = st.columns(2)
    return {
        "--warmup": share(left, "Warm-up", "warmup", "Share of the training before the first division"),
        "--split": share(right, "Split", "split", "Share with slices and clusters apart"),
        "--conquer": share(left, "Conquer", "conquer", "Share at the end with everything together"),
        "--recluster-every": right.number_input(
            "Epochs T between clusterings", 1, 1000, _default(DivisionConfig, "recluster_every")
        ),
        "--masks": left.selectbox("Slices", get_args(Masks), help="learned: soft masks over the whole embedding"),
        "--test-norm": right.selectbox("Norm at test", get_args(TestNorm), help="whole: slices keep their lengths"),
        "--cluster-feature": left.selectbox("What is clustered", get_args(ClusterFeature)),
        "--matching": right.selectbox("Names of new clusters", get_args(Matching), help="none shows what breaks"),
        **({"--doubling": None} if st.toggle("Double the learners, from 2 up to K") else {}),
    }


def _epochs(data: str, brought: TrainingPart | None, minutes: float, more: dict[str, object]) -> float:
    """The epochs that fit into the minutes, and a sentence on how that was worked out."""
    if brought is None:
        theme.quiet("How long an epoch takes is known once the data is.")
        return 1.0
    step_ms, measured = _step_ms(data, str(more["--backbone"]))
    steps = max(brought.samples // (int(more["--classes"]) * int(more["--images"])), 1)
    fit = max(minutes * 60_000 / (step_ms * steps), 0.1)
    epochs = min(fit, MOST_EPOCHS) if brought.kind == "vectors" else fit
    source = f"as {measured} took" if measured else "a guess until a first run has been measured here"
    enough = " More would only overfit." if epochs < fit else ""
    theme.quiet(
        f"About {epochs:.3g} epochs of {theme.count(steps)} steps over {theme.count(brought.samples)} {brought.kind},"
        f" at {step_ms:.0f} ms a step ({source}).{enough}"
    )
    return epochs


def _has_folders(data: str) -> bool:
    try:
        return data not in NAMED_SETS and is_here(DataConfig(name=data)) and has_folders(data)
    except InputError:
        return False


def _brought(data: str, level: int | None) -> TrainingPart | None:
    """What can be trained on, with a word on what was read; None, with the reason, while there is no such data, or it
    is on another machine and nobody has asked.
    """
    if not data:
        return None
    if data not in st.session_state.get("train-fetched", ()) and not is_here(DataConfig(name=data)):
        theme.quiet(f"{data} is not on this machine; a training that is started fetches it.")
        if not st.button("Fetch it now", icon=":material/download:", key="train-fetch"):
            return None
        st.session_state["train-fetched"] = {*st.session_state.get("train-fetched", ()), data}
    try:
        found = _training_part(data, level)
    except InputError as error:
        theme.trouble(str(error))
        return None
    if data not in NAMED_SETS:
        theme.quiet(found.told)
    return found


@st.cache_data(show_spinner="Looking at the data …", max_entries=16)
def _training_part(data: str, level: int | None) -> TrainingPart:
    return training_part(data, level)


def _step_ms(data: str, backbone: str) -> tuple[float, str | None]:
    """What a step took in the newest run with that backbone, and that run's name; else a guess and None."""
    for run in runs.list_runs():
        taken = _taken(run, data, backbone)
        if taken:
            return sum(taken) / len(taken), run.name
    return GUESSED_STEP_MS[backbone], None


def _taken(run: runs.Run, data: str, backbone: str) -> list[float]:
    """Milliseconds of the last steps of a run on that data with that backbone; none of any other run."""
    try:
        config = run.config
        if config.network.backbone != backbone or config.data.name != data:
            return []
        return [event["step_ms"] for event in run.events("step")[-50:] if event.get("step_ms")]
    except InputError:
        return []  # of a newer version, or damaged; it says so where it is shown


def _start(name: str, options: dict[str, object]) -> None:
    try:
        if jobs.is_taken(name):
            raise InputError(f"There is already a run named {name}; choose another name.")
        jobs.start(name, ["train", *_words(options), "--run", name, "--queue"])
    except InputError as error:
        theme.trouble(str(error))
        return
    st.session_state["watched"] = name
    st.rerun()


def _words(options: dict[str, object]) -> list[str]:
    return [word for option, value in options.items() for word in (option, *([] if value is None else [str(value)]))]


def _spelled(options: dict[str, object]) -> str:
    """As one would type it: what has its default is left out."""
    defaults = {
        "--backbone": next(
            (names[0] for names in (IMAGE_BACKBONES, VECTOR_BACKBONES) if options["--backbone"] in names), ""
        ),
        "--loss": _default(TrainingConfig, "loss"),
        "--in-batch": _default(MiningConfig, "in_batch"),
        "--dim": _default(NetworkConfig, "dim"),
        "--margin": f"{_default(TrainingConfig, 'margin'):g}",
        "--lr": f"{_default(TrainingConfig, 'learning_rate'):g}",
        "--classes": _default(MiningConfig, "classes"),
        "--images": _default(MiningConfig, "images"),
        "--groups": _default(MiningConfig, "groups"),
        **{f"--{name}": f"{_default(DivisionConfig, name):g}" for name in ("warmup", "split", "conquer")},
        "--recluster-every": _default(DivisionConfig, "recluster_every"),
        "--masks": _default(DivisionConfig, "masks"),
        "--test-norm": _default(DivisionConfig, "test_norm"),
        "--cluster-feature": _default(DivisionConfig, "feature"),
        "--matching": _default(DivisionConfig, "matching"),
    }
    changed = {option: value for option, value in options.items() if defaults.get(option, "") != value}
    return " ".join(_words(changed))


def _watch() -> None:
    """The runs, and the one that is looked at: renewed by itself only while something is at work."""
    busy = any(run.status().active for run in runs.list_runs()) or any(job.alive for job in jobs.known().values())
    st.fragment(_board, run_every=EVERY if busy else None)(busy)


def _board(was_busy: bool) -> None:
    waiting, found = jobs.waiting(), runs.list_runs()
    for job in waiting:
        _starting(job)
    if not found and not waiting:
        theme.empty("No run yet.", "Start one on the left: two minutes are enough for a first map.")
        return
    states = {run.name: _status(run) for run in found}
    names = list(states)
    active = [name for name in names if states[name].active]
    if st.session_state.get("watched") in names:
        first = names.index(st.session_state["watched"])
    else:
        first = names.index(active[0]) if active else 0
    if names:
        chosen = st.pills(
            "Runs",
            names,
            default=names[first],
            required=True,
            format_func=lambda name: f"{name} · {live.STATES[states[name].state]}",
            key=f"runs-{'-'.join(names)}"[:200],
            label_visibility="collapsed",
        )
        if st.session_state.get("watched") not in [job.name for job in waiting]:  # one that starts is shown when there
            st.session_state["watched"] = chosen
        run = next(run for run in found if run.name == chosen)
        _actions(run, states[chosen])
        live.follow(run, states[chosen])
    if was_busy and not active and not any(job.alive for job in jobs.known().values()):
        st.rerun()  # nothing is left to wait for: the page as a whole learns of it, and renewing ends


def _status(run: runs.Run) -> runs.Status:
    """The run's status, and what became of the order to resume it, of which the run does not know yet or never will."""
    status, job = run.status(), jobs.known().get(run.name)
    if job is None or status.active or status.state == "finished" or job.ordered < status.updated:
        return status
    if job.alive:
        return replace(status, state="queued", message="Starting again.")
    return replace(status, state="failed", message=f"It was not resumed. {job.last_words}")


def _starting(job: jobs.Job) -> None:
    """A process without a run directory: on its way, or refused."""
    if job.alive:
        st.progress(0.0, text=f"{job.name}: starting …")
        return
    theme.trouble(f"{job.name} did not start. {job.last_words or 'Its process ended without a word.'}")
    if st.button("Dismiss", key=f"dismiss-{job.name}"):
        jobs.forget(job)
        st.rerun(scope="fragment")


def _actions(run: runs.Run, status: runs.Status) -> None:
    with st.container(horizontal=True, gap="small"):
        if run.snapshots() and st.button("Explore it", type="primary", icon=":material/scatter_plot:", key="explore"):
            st.session_state["asked-for"] = run.name
            st.rerun()  # the whole page: from within a fragment a switch would leave the old address
        if status.active:
            stopping = run.stop_requested()
            label = "Stopping …" if stopping else "Stop"
            if st.button(label, icon=":material/stop:", disabled=stopping, key="stop"):
                with contextlib.suppress(OSError):  # it was deleted a moment ago
                    run.request_stop()
                st.rerun(scope="fragment")
        if _resumable(run, status) and st.button("Resume", icon=":material/resume:", key="resume"):
            jobs.start(run.name, ["train", "--run", run.name, "--resume", "--queue"])
            st.rerun()
        if not run.bundled and not status.active:
            with st.popover("Delete", icon=":material/delete:"):
                st.markdown(f"Delete **{run.name}** with its checkpoints and snapshots? This cannot be undone.")
                st.button("Delete it", key="delete", on_click=_delete, args=(run.path,))


def _resumable(run: runs.Run, status: runs.Status) -> bool:
    """One that failed goes on if it got as far as a checkpoint: when there is room on the disk again, say."""
    failed_later = status.state == "failed" and run.checkpoint.exists()
    return not run.bundled and (status.state in ("stopped", "interrupted") or failed_later)


def _delete(path: Path) -> None:
    """Delete one of the user's runs, unless another visitor has just set it to work; a link goes, not what it names."""
    if path.parent == runs.runs_folder() and not runs.Run(path).status().active:
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)


def _stem(data: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in Path(data).stem).strip("-") or "run"


def _default(kind: type, name: str):
    value = next(field.default for field in fields(kind) if field.name == name)
    assert value is not MISSING
    return value


main()
