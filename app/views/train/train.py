"""Train: start a training, watch it, stop it; it goes on without this page."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import address, cached, jobs, starting, state, theme
from app.uploads import A_PATH, TrainingPart, has_folders, training_part
from app.views.train import run_board
from bon_core.config import (
    IMAGE_BACKBONES,
    VECTOR_BACKBONES,
    DataConfig,
    DivisionConfig,
    InBatchMiner,
    InputError,
    MiningConfig,
    RunConfig,
)
from bon_core.datasets import NAMED_SETS
from bon_core.datasets.here import is_here
from bon_core.runs import store
from bon_core.runs.run import Run
from bon_core.settings import default_of, flag_of, setting_of

GUESSED_STEP_MS = {  # of 128 samples on two cores, before anything was measured here; of images those of 32 px
    "conv4": 110.0,
    "efficientnet-lite0": 600.0,
    "linear": 6.0,
    "mlp": 8.0,
}
MAX_EPOCHS = 100  # of a head on vectors, whatever the minutes
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
Place = Any  # st or one of its containers
KINDS = {  # setting of the form -> the config that it is of
    part.name: kind
    for kind in get_type_hints(RunConfig).values()
    for part in fields(kind)
    if setting_of(kind, part.name).label
}
ALWAYS_SPELLED = ("miner", "learners", "seed", "epochs", "minutes", "doubling")


def main() -> None:
    starting.go_on()
    theme.style()
    state.header(needed=False)
    state.heading("Train", "A training goes on when you close this page. Several queue up, one after the other.")
    form, runs_column = st.columns([1, 2.2], gap="large")
    with form:
        _form()
    with runs_column:
        run_board.watch()


def _form() -> None:
    """Settings, what they will cost, and the button."""
    _take_over(run_board.settings_asked_for())
    given = _data()
    level = _level() if given and _has_folders(given) else None
    miner = _choice(st, "miner", format_func=MINERS.get)
    left, right = st.columns(2)
    learners = _number(left, "learners")
    minutes = _number(right, "minutes", low=0.2, high=600.0, usual=2.0, step=0.5)
    brought = _brought(given, level)
    with st.expander("More settings"):
        more = _more(brought, miner)
    if learners > 1:
        with st.expander("Divide and conquer"):
            more |= _division()
    epochs = more.pop("--epochs")
    length = {"--epochs": f"{epochs:.3g}"} if epochs else _length(given, brought, minutes, more)
    suggested = jobs.free_name(f"{_stem(given)}-{miner}-k{learners}")
    control = address.control("train-name", "", among=lambda text: True)
    name = st.text_input("Name of the run", placeholder=suggested, **control).strip() or suggested
    folders = {} if level is None else {"--class-level": level}
    options = {"--data": given, **folders, "--miner": miner, "--learners": learners, **length, **more}
    if st.button("Start training", type="primary", width="stretch", icon=":material/play_arrow:", key="train-start"):
        _start(name, options)
    with st.expander("The same on the command line"):
        st.code(f"python -m bon_core train {_spelled(options)} --run {name}", language="bash", wrap_lines=True)


def _take_over(config: RunConfig | None) -> None:
    """Set the form to the settings of a run."""
    if config is None:
        return
    data = config.data.name
    address.choose("train-data-choice", data if data in NAMED_SETS else A_PATH)
    if data not in NAMED_SETS:
        address.choose("train-path", data)
    left = []
    for section in fields(RunConfig):
        part = getattr(config, section.name)
        for setting in fields(part):
            value, usual = getattr(part, setting.name), setting.default
            if setting.name == "epochs" and config.training.minutes is not None:
                value = 0.0  # which stands for: by the minutes
            if setting.name == "minutes" and value is None:
                continue
            if setting.name == "groups":
                usual = min(default_of(MiningConfig, "groups"), config.mining.classes)  # as the command works it out
            if setting.name == "class_level":
                address.choose("train-level", value)
            elif setting.name in KINDS:
                address.choose(f"train-{setting.name}", value)
            elif value != usual and setting.name not in (*run_board.NOT_SHOWN, "name"):
                left.append(f"{setting.name.replace('_', ' ')} {value}")
    if left:
        st.toast(f"Not in the form, so as by default: {', '.join(left)}.", icon=":material/info:")


def _level() -> int | None:
    """Which folder of an image's path names its class; None: the reader decides."""
    levels = (1, 2, 3)
    control = address.control("train-level", None, read=int, among=levels.__contains__, words="class folder")
    return theme.class_level(**control)


def _choice(place: Place, name: str, options: Sequence[str] = (), *, key: str = "", **more: Any) -> str:
    """A menu of a setting's values, or of those `options`; the choice is in the address, so a reload keeps it."""
    known = setting_of(KINDS[name], name)
    options = options or get_args(get_type_hints(KINDS[name])[name])
    control = address.control(
        f"train-{name}", options[0], among=options.__contains__, words=known.label, key=key or None
    )
    return place.selectbox(known.label, options, **{"help": known.hint or None} | more, **control)


def _number(
    place: Place,
    name: str,
    *,
    low: Any = None,
    high: Any = None,
    usual: Any = None,
    label: str = "",
    key: str = "",
    **more: Any,
) -> Any:
    """The number of a setting, within its bounds or narrower ones; it is in the address, so a reload keeps it."""
    known = setting_of(KINDS[name], name)
    usual = default_of(KINDS[name], name) if usual is None else usual
    low, high = (type(usual)(own if end is None else end) for end, own in ((low, known.low), (high, known.high)))
    label = label or known.label
    control = address.control(
        f"train-{name}",
        usual,
        read=type(usual),
        among=lambda value: low <= value <= high,
        words=label,
        key=key or None,
    )
    return place.number_input(label, low, high, help=known.hint or None, **more, **control)


def _data() -> str:
    """The data set's name or path."""
    sets = [*NAMED_SETS, A_PATH]
    control = address.control("train-data-choice", sets[0], among=sets.__contains__, words="Data")
    chosen = st.selectbox("Data", sets, **control)
    if chosen != A_PATH:
        return chosen
    control = address.control("train-path", "", among=lambda text: True)
    label = "Images in a folder, zip or npz, vectors, or hf:NAME"
    return st.text_input(label, placeholder="~/pictures/birds or vectors.npy", **control).strip()


def _more(brought: TrainingPart | None, miner: str) -> dict[str, object]:
    """Options that have good defaults; the batch takes no more classes than the data has."""
    most = brought.classes if brought else 4096
    left, right = st.columns(2)
    kind = brought.kind if brought else "images"
    backbones = VECTOR_BACKBONES if kind == "vectors" else IMAGE_BACKBONES
    backbone = _choice(left, "backbone", backbones, help=BACKBONE_HELP[kind], key=f"backbone-of-{kind}")
    loss = _choice(right, "loss")
    chooses = miner in get_args(InBatchMiner)
    in_batch = (
        left.selectbox(setting_of(MiningConfig, "in_batch").label, [miner], disabled=True, key=f"in-batch-of-{miner}")
        if chooses
        else _choice(left, "in_batch", key="in-batch-of-miners")
    )
    dim = _number(right, "dim")
    margin = _number(left, "margin", low=0.01, step=0.05)
    rate = _number(right, "learning_rate", low=1e-5, high=1.0, format="%.4f")
    most = max(most, 2)
    usual = min(default_of(MiningConfig, "classes"), most)
    classes = _number(left, "classes", high=most, usual=usual, key=f"classes-of-{most}")
    images = _number(right, "images", label=f"{kind.capitalize()} m a class")
    seed = _number(left, "seed")
    epochs = _number(right, "epochs", low=0.0, usual=0.0)
    return {
        "--backbone": backbone,
        "--loss": loss,
        "--in-batch": in_batch,
        "--dim": dim,
        "--margin": f"{margin:g}",
        "--lr": f"{rate:g}",
        "--classes": classes,
        "--images": images,
        "--seed": seed,
        "--epochs": epochs,
    }


def _division() -> dict[str, object]:
    """When and how the learners work apart."""

    def share(column: DeltaGenerator, name: str) -> str:
        return f"{_number(column, name, step=0.05):g}"

    left, right = st.columns(2)
    return {
        "--warmup": share(left, "warmup"),
        "--split": share(right, "split"),
        "--conquer": share(left, "conquer"),
        "--recluster-every": _number(right, "recluster_every", high=1000),
        "--masks": _choice(left, "masks"),
        "--test-norm": _choice(right, "test_norm"),
        "--cluster-feature": _choice(left, "feature"),
        "--matching": _choice(right, "matching"),
        **({"--doubling": None} if _doubling() else {}),
    }


def _doubling() -> bool:
    control = address.control("train-doubling", False, read=lambda text: text == "True", among=lambda _: True)
    return st.toggle(setting_of(DivisionConfig, "doubling").label, **control)


def _length(data: str, brought: TrainingPart | None, minutes: float, more: dict[str, Any]) -> dict[str, object]:
    """The option that says how long to train, and a sentence on what fits into that."""
    budget: dict[str, object] = {"--minutes": f"{minutes:g}"}
    if brought is None:
        theme.caption("How long an epoch takes is known once the data is.")
        return budget
    step_ms, measured = _step_ms(data, str(more["--backbone"]))
    steps = max(brought.samples // (int(more["--classes"]) * int(more["--images"])), 1)
    fit = max(minutes * 60_000 / (step_ms * steps), 0.1)
    source = f"as {measured} took" if measured else "a guess until a first run has been measured here"
    enough = brought.kind == "vectors" and fit > MAX_EPOCHS
    theme.caption(
        f"At most {min(fit, MAX_EPOCHS) if enough else fit:.3g} epochs of {theme.count(steps)} steps over"
        f" {theme.count(brought.samples)} {brought.kind}, at {step_ms:.0f} ms a step ({source}), less what evaluating"
        " and mapping take. "
        + ("More would only overfit." if enough else "The run measures itself and keeps to the minutes.")
    )
    return {"--epochs": f"{MAX_EPOCHS}"} if enough else budget


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
        theme.caption(f"{data} is not on this machine; a training that is started fetches it.")
        if not st.button("Fetch it now", icon=":material/download:", key="train-fetch"):
            return None
        st.session_state["train-fetched"] = {*st.session_state.get("train-fetched", ()), data}
    try:
        found = _training_part(data, level)
    except InputError as error:
        theme.error_box(str(error))
        return None
    if data not in NAMED_SETS:
        theme.caption(found.intake)
    return found


@st.cache_data(show_spinner="Looking at the data …", max_entries=16)
def _training_part(data: str, level: int | None) -> TrainingPart:
    return training_part(data, level)


def _step_ms(data: str, backbone: str) -> tuple[float, str | None]:
    """What a step took in the newest run with that backbone, and that run's name; else a guess and None."""
    for run in store.list_runs():
        taken = _taken(run, data, backbone)
        if taken:
            return sum(taken) / len(taken), run.name
    return GUESSED_STEP_MS[backbone], None


def _taken(run: Run, data: str, backbone: str) -> list[float]:
    """Milliseconds of the last steps of a run on that data with that backbone; none of any other run."""
    try:
        config = run.config
        if config.network.backbone != backbone or config.data.name != data:
            return []
        steps = [event for event in cached.events(run) if event["kind"] == "step"]
        return [event["step_ms"] for event in steps[-50:] if event.get("step_ms")]
    except InputError:
        return []  # of a newer version, or damaged; it says so where it is shown


def _start(name: str, options: dict[str, object]) -> None:
    try:
        if jobs.is_taken(store.check_name(name)):
            raise InputError(f"There is already a run named {name}; choose another name.")
        jobs.start(name, ["train", *_words(options), "--run", name, "--queue"])
    except InputError as error:
        theme.error_box(str(error))
        return
    address.forget("train-name")
    starting.look_at_start(name)
    st.rerun()


def _words(options: dict[str, object]) -> list[str]:
    return [word for option, value in options.items() for word in (option, *([] if value is None else [str(value)]))]


def _spelled(options: dict[str, object]) -> str:
    """As one would type it: what has its default is left out."""
    defaults = {
        flag_of(KINDS[name], name): f"{usual:g}" if isinstance(usual, float) else usual
        for name, usual in ((name, default_of(KINDS[name], name)) for name in KINDS if name not in ALWAYS_SPELLED)
    }
    defaults["--backbone"] = next(
        (names[0] for names in (IMAGE_BACKBONES, VECTOR_BACKBONES) if options["--backbone"] in names), ""
    )
    changed = {option: value for option, value in options.items() if defaults.get(option, "") != value}
    return " ".join(_words(changed))


def _stem(data: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in Path(data).stem).strip("-") or "run"


main()
