"""Settings of a run: frozen dataclasses that validate with sentences and travel as JSON.

Each setting is spelled once: type, default, bounds, what it does. The command line and the app's form are made from it.
"""

import json
import types
import typing
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from bon_core.settings import Setting, section, setting

ImageBackbone = Literal["conv4", "efficientnet-lite0"]
VectorBackbone = Literal["linear", "mlp"]
Backbone = Literal["auto", ImageBackbone, VectorBackbone]  # auto: the first that takes such samples
IMAGE_BACKBONES, VECTOR_BACKBONES = get_args(ImageBackbone), get_args(VectorBackbone)
BatchMinerName = Literal["bon", "uniform", "lsh", "exact", "neighbours"]
InBatchMiner = Literal["distance-weighted", "batch-hard", "semi-hard", "multi-similarity"]
Miner = Literal[BatchMinerName, "xbm", InBatchMiner]  # those that do not compose choose out of uniform batches
MateSchedule = Literal["ramp", "active"]
Loss = Literal["margin", "triplet", "contrastive", "multi-similarity"]
ClusterFeature = Literal["embedding", "penultimate"]
Masks = Literal["fixed", "learned"]
TestNorm = Literal["slices", "whole"]
Matching = Literal["hungarian", "none"]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]


class InputError(ValueError):
    """Something a user can put right; its text is one sentence with the value, the rule and the remedy."""


def check(condition: bool, sentence: str) -> None:
    """Raise InputError with `sentence` unless `condition` holds."""
    if not condition:
        raise InputError(sentence)


def _check_settings(config: Any) -> None:
    """Raise InputError if a field of the config is none of its Literal's values, or out of its bounds."""
    hints = get_type_hints(type(config))
    for part in fields(config):
        value, choices = getattr(config, part.name), get_args(hints[part.name])
        if get_origin(hints[part.name]) is Literal:
            check(
                value in choices,
                f"The {part.name.replace('_', '-')} is {_shown(value)}, but must be one of {', '.join(choices)};"
                " take one.",
            )
        elif isinstance(value, int | float):
            known: Setting = part.metadata["setting"]
            check(known.holds(value), known.refusal.format(value=value))


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data: a bundled set's name, or the path of a folder, a zip or an .npz of images, or a file of vectors."""

    name: str = setting(
        "glyphs",
        "glyphs, omniglot, or a path: an image folder, a zip, an .npz; or vectors as .npz, .npy, .parquet",
        flag="--data",
    )
    path: str | None = setting(None, "where a named set lies, if not in data/cache")
    image_size: int | None = setting(  # None keeps the set's own size
        None,
        "resize images to this many pixels",
        "Image size is {value} px, but must be 8 to 512; pick a size in that range.",
        low=8,
        high=512,
    )
    holdout: float = setting(
        0.0,
        "share of training classes to evaluate on instead of the test classes, for tuning",
        "Hold-out is {value}, but at most half of the training classes can be held out; give 0 to 0.5.",
        low=0,
        high=0.5,
    )
    class_level: int | None = setting(
        None,
        "folders and zips: which folder names the class, 1 the first, 2 the second; default: 1",
        "The class level is {value}, but folders are counted from 1; give 1 for the first, 2 for the second.",
        low=1,
        high=20,
    )

    def __post_init__(self) -> None:
        check(bool(self.name), "The data set's name is empty; name a set such as glyphs, or a path.")
        _check_settings(self)


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Backbone and embedding width D."""

    backbone: Backbone = setting(
        "auto",
        "auto: conv4 for images, a linear head for vectors; efficientnet-lite0 for photographs (extra [pretrained]);"
        " mlp, a perceptron on vectors",
        label="Backbone",
    )
    dim: int = setting(
        128,
        "width D of the embedding",
        "Embedding width is {value}, but must be 2 to 4096; 128 is a good start.",
        low=2,
        high=4096,
        label="Embedding width D",
    )
    dropout: float = setting(
        0.2,
        "linear, mlp: share of the vectors' values dropped at each step",
        "The share of dropped values is {value}, but must lie between 0 and 1; try 0.2.",
        low=0,
        below=1,
    )

    def __post_init__(self) -> None:
        _check_settings(self)


@dataclass(frozen=True, kw_only=True)
class MiningConfig:
    """How batches are drawn, and what is chosen inside them."""

    miner: Miner = setting("bon", "who composes the batches, or who chooses out of uniform ones", label="Miner")
    in_batch: InBatchMiner = setting(
        "distance-weighted",
        "who chooses triplets inside a batch, unless the miner does",
        label="Choice inside a batch",
    )
    classes: int = setting(
        32,
        "classes P in a batch",
        "A batch of {value} classes has no negatives or no end; give 2 to 4096 classes.",
        low=2,
        high=4096,
        label="Classes P in a batch",
    )
    images: int = setting(
        4,
        "images m of each class in a batch",
        "{value} images a class leave no positive pair or no batch; give 2 to 64 images.",
        low=2,
        high=64,
        label="Images m a class",
    )
    groups: int = setting(8, "seeds G in a batch; each brings mates out of its bucket")  # bounded by the classes
    bits: int | None = setting(  # None: clamp(round(log2(N / 32)), 4, 20)
        None,
        "bits S of a hash code; default: by data size",
        "{value} bits are not possible; a code has 1 to 30 bits, or leave bits out to choose by data size.",
        low=1,
        high=30,
    )
    capacity: int | None = setting(  # None: 4 N / 2^S, rounded up to a multiple of 8
        None,
        "samples C that a bucket holds; default: four times the mean",
        "A bucket of capacity {value} holds nothing; give 1 or more, or leave it out.",
        low=1,
    )
    mate_share: float = setting(
        1.0,
        "largest share that bucket mates get of the P - G classes that follow the seeds",
        "The share of bucket mates is {value}, but a share lies between 0 and 1; give such a number.",
        low=0,
        high=1,
    )
    mate_schedule: MateSchedule = setting(
        "ramp",
        "how that share grows: evenly, or while too few anchors violate the triplet margin",
        research=True,
    )
    mate_ramp: float = setting(
        0.1,
        "ramp: share of the training over which it grows from 0",
        "The ramp of bucket mates is {value}, but must lie between 0 and 1; try 0.1.",
        low=0,
        high=1,
    )
    active_goal: float = setting(
        0.6,
        "active: share of anchors that should violate the triplet margin",
        "The goal for active anchors is {value}, but must lie between 0 and 1; try 0.6.",
        above=0,
        below=1,
        research=True,
    )
    hamming: bool = setting(False, "look into the S Hamming-1 buckets before falling back to random", research=True)
    memory: int = setting(2048, "xbm: latest embeddings to choose from")  # bounded by the batch

    def __post_init__(self) -> None:
        _check_settings(self)
        check(
            1 <= self.groups <= self.classes,
            f"{self.groups} groups do not fit a batch of {self.classes} classes; give --groups 1 to {self.classes}.",
        )
        check(
            self.miner != "xbm" or self.memory >= self.batch,
            f"A memory of {self.memory} embeddings does not hold a batch of {self.batch}; give {self.batch} or more.",
        )

    @property
    def batch_miner(self) -> BatchMinerName:
        """Who composes the batches."""
        return cast(BatchMinerName, self.miner) if self.miner in get_args(BatchMinerName) else "uniform"

    @property
    def in_batch_miner(self) -> InBatchMiner:
        """Who chooses inside a batch, or in XBM's memory."""
        return cast(InBatchMiner, self.miner) if self.miner in get_args(InBatchMiner) else self.in_batch

    @property
    def batch(self) -> int:
        """B, the number of images in a batch."""
        return self.classes * self.images


@dataclass(frozen=True, kw_only=True)
class DivisionConfig:
    """Divide and conquer (CVPR 2019): K learners, and when they work apart. Shares are of the whole training; what lies
    between split and conquer is the whole embedding on one cluster.
    """

    learners: int = setting(
        4,
        "learners K; 1 trains one undivided embedding",
        "{value} learners are not possible; give 1 (undivided) to 32.",
        low=1,
        high=32,
        label="Learners K",
        hint="1 trains one undivided embedding",
    )
    warmup: float = setting(
        0.5,
        "share of the training before the first division",
        "The warmup share is {value}, but a share lies between 0 and 1; give one.",
        low=0,
        high=1,
        label="Warm-up",
        hint="Share of the training before the first division",
    )
    split: float = setting(
        0.25,
        "share of the training with slices and clusters apart",
        "The split share is {value}, but a share lies between 0 and 1; give one.",
        low=0,
        high=1,
        label="Split",
        hint="Share with slices and clusters apart",
    )
    conquer: float = setting(
        0.05,
        "share of the training at the end with everything together",
        "The conquer share is {value}, but a share lies between 0 and 1; give one.",
        low=0,
        high=1,
        label="Conquer",
        hint="Share at the end with everything together",
    )
    recluster_every: int = setting(
        2,
        "epochs T between two clusterings",
        "Re-clustering every {value} epochs is not possible; give 1 or more.",
        low=1,
        label="Epochs T between clusterings",
    )
    random_share: float = setting(
        0.25,
        "with BoN inside a cluster, share of a batch's classes drawn at random",
        "The random_share share is {value}, but a share lies between 0 and 1; give one.",
        low=0,
        high=1,
    )
    feature: ClusterFeature = setting(
        "embedding", "what is clustered", flag="--cluster-feature", label="What is clustered", research=True
    )
    matching: Matching = setting(
        "hungarian",
        "how new clusters get their old learners",
        label="Names of new clusters",
        hint="none shows what breaks",
        research=True,
    )
    masks: Masks = setting(
        "fixed",
        "slices of the embedding, or masks over it that are learned",
        label="Slices",
        hint="learned: soft masks over the whole embedding",
        research=True,
    )
    doubling: bool = setting(
        False,
        "begin with 2 learners and double them at each clustering",
        label="Double the learners, from 2 up to K",
        research=True,
    )
    test_norm: TestNorm = setting(
        "slices",
        "outside training: unit slices, or plain L2 over the whole",
        label="Norm at test",
        hint="whole: slices keep their lengths",
        research=True,
    )

    def __post_init__(self) -> None:
        _check_settings(self)
        total = self.warmup + self.split + self.conquer
        check(
            total <= 1 + 1e-9,
            f"Warm-up, split and conquer add up to {total:g} of the training, but at most 1 is there; lower one.",
        )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Loss, optimiser, budget, and how often things are written down."""

    loss: Loss = setting("margin", "loss on the chosen triplets or pairs", label="Loss")
    margin: float = setting(
        0.2,
        "margin of the loss, in distance between unit vectors",
        "The margin is {value:g}, but distances end at 2; give more than 0 and at most 2, such as 0.2.",
        above=0,
        high=2,
        label="Margin",
    )
    learning_rate: float = setting(
        1e-3,
        "peak learning rate of AdamW",
        "A learning rate of {value:g} cannot train; try 0.001.",
        above=0,
        below=10,
        flag="--lr",
        label="Learning rate",
    )
    weight_decay: float = setting(
        1e-4,
        "weight decay of AdamW, not of norms, biases and what the loss learns",
        "A weight decay of {value:g} cannot train; try 0.0001.",
        low=0,
        below=1,
    )
    clip_norm: float | None = setting(
        None,
        "cut the gradient to this length",
        "A gradient cut to {value:g} does not move anything; give more than 0, or leave it out.",
        above=0,
    )
    patience: int | None = setting(
        None,
        "end after so many evaluations in which MAP@R did not rise; needs --holdout",
        "A patience of {value} evaluations ends at once; give 1 or more, or leave it out.",
        low=1,
    )
    augment: bool = setting(True, "vary the images a little each time")
    epochs: float = setting(
        40.0,
        "budget; an epoch is N / B steps",
        "{value:g} epochs cannot be trained; give more than 0.",
        above=0,
        high=100_000,
        label="Epochs, not minutes",
        hint="0: by the minutes above",
    )
    minutes: float | None = setting(
        None,
        "budget of the whole run, with embedding, measuring and mapping at its end, in place of epochs",
        "A run of {value:g} minutes cannot be trained and mapped; give 0.1 or more, or none.",
        low=0.1,
        high=100_000,
        label="Minutes",
        hint="Of the whole run, its map included",
    )
    seed: int = setting(
        0,
        "seed of everything random",
        "The seed is {value}, but must be 0 to 2147483647; give one.",
        low=0,
        high=2**31 - 1,
        label="Seed",
    )
    device: Device = setting("auto", "auto takes a GPU where there is one")
    precision: Precision = setting("auto", "of the backbone; auto takes bfloat16 on a GPU made for it")
    compile: bool = setting(False, "compile the backbone: minutes at the start, faster steps (GPUs only)")
    evaluate_every: float = setting(
        2.0,
        "epochs between two evaluations",
        "Evaluating every {value:g} epochs is not possible; give more than 0.",
        above=0,
    )
    checkpoint_every: float = setting(
        5.0,
        "epochs between two checkpoints",
        "A checkpoint every {value:g} epochs is not possible; give more than 0.",
        above=0,
    )
    audit_every: int = setting(
        1,
        "steps between two that are recorded for replay",
        "Recording every {value} steps is not possible; give 1 or more.",
        low=1,
    )

    def __post_init__(self) -> None:
        _check_settings(self)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All that decides a run. The same config gives the same run."""

    data: DataConfig = section(DataConfig, "data")
    network: NetworkConfig = section(NetworkConfig, "network")
    mining: MiningConfig = section(MiningConfig, "mining (Bag of Negatives)")
    division: DivisionConfig = section(DivisionConfig, "divide and conquer")
    training: TrainingConfig = section(TrainingConfig, "training")

    def __post_init__(self) -> None:
        check(
            not (self.mining.miner == "xbm" and self.division.doubling),
            "A memory across batches (xbm) needs slices that stay as they are, but doubling merges them at first;"
            " leave out one of the two.",
        )
        check(
            self.training.patience is None or self.data.holdout > 0,
            "Early stopping (patience) would choose by the test classes; set training classes aside with --holdout 0.2,"
            " or leave it out.",
        )
        check(
            self.division.learners <= self.network.dim,
            f"{self.division.learners} learners cannot share {self.network.dim} dimensions; give fewer learners"
            " or a wider embedding.",
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "RunConfig":
        """Read what `to_json` wrote.

        Raises
        ------
        InputError
            If the text is not JSON, or a field is unknown, of the wrong type or out of range.
        """
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"The config is not JSON ({error}); restore the file or start a new run.") from error
        return _build(cls, tree, "config")


def _build(kind: type, tree: Any, where: str) -> Any:
    """`tree`, a dict of JSON values, as an instance of the dataclass `kind`."""
    check(
        isinstance(tree, dict), f"The {where} is {_shown(tree)}, but must be an object with named fields; correct it."
    )
    hints = get_type_hints(kind)
    names = [f.name for f in fields(kind)]
    unknown = sorted(set(tree) - set(names))
    check(not unknown, f"The {where} has an unknown field {_shown(unknown[:1])}; known are {', '.join(names)}.")
    return kind(**{name: _value(hints[name], value, f"{where} field {name}") for name, value in tree.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    """`value` if it is of the type `hint`; integers pass as floats, nothing else is converted."""
    if isinstance(hint, type) and is_dataclass(hint):
        return _build(hint, value, where)
    if get_origin(hint) is Literal:
        return value  # the dataclass itself knows its choices
    allowed = get_args(hint) if isinstance(hint, types.UnionType) or get_origin(hint) is typing.Union else (hint,)
    if float in allowed and type(value) is int and abs(value) < 2**53:
        return float(value)
    names = " or ".join("null" if kind is type(None) else kind.__name__ for kind in allowed)
    check(
        type(value) is not int or abs(value) < 2**63,
        f"The {where} is {_shown(value)}, but numbers end at 2^63; give a smaller one.",
    )
    check(type(value) in allowed, f"The {where} is {_shown(value)}, but must be of type {names}; correct it.")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
