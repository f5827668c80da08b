"""Settings of a run: frozen dataclasses that validate with sentences and travel as JSON.

Every default is here and nowhere else: the command line and the app build their options from these fields.
"""

import json
import types
import typing
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

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


def _check_choices(settings: Any) -> None:
    """Raise InputError if a field of the dataclass instance is none of its Literal's values."""
    for name, hint in get_type_hints(type(settings)).items():
        if get_origin(hint) is Literal:
            value, choices = getattr(settings, name), get_args(hint)
            check(
                value in choices,
                f"The {name.replace('_', '-')} is {_shown(value)}, but must be one of {', '.join(choices)}; take one.",
            )


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data: a bundled set's name, or the path of a folder, a zip or an .npz of images, or a file of vectors."""

    name: str = "glyphs"
    path: str | None = None  # where a named set lies on disk, if not in data/cache
    image_size: int | None = None  # pixels; None keeps the set's own size
    holdout: float = 0.0  # share of the *training* classes set aside, to tune settings on
    class_level: int | None = None  # which folder of an image's path is its class; None: the first

    def __post_init__(self) -> None:
        check(bool(self.name), "The data set's name is empty; name a set such as glyphs, or a path.")
        check(
            self.image_size is None or 8 <= self.image_size <= 512,
            f"Image size is {self.image_size} px, but must be 8 to 512; pick a size in that range.",
        )
        check(
            0 <= self.holdout <= 0.5,
            f"Hold-out is {self.holdout}, but at most half of the training classes can be held out; give 0 to 0.5.",
        )
        check(
            self.class_level is None or 1 <= self.class_level <= 20,
            f"The class level is {self.class_level}, but folders are counted from 1; give 1 for the first, 2 for the"
            " second.",
        )


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Backbone and embedding width D."""

    backbone: Backbone = "auto"
    dim: int = 128
    dropout: float = 0.2  # of the values of vectors, at each step: linear and mlp only

    def __post_init__(self) -> None:
        _check_choices(self)
        check(
            2 <= self.dim <= 4096,
            f"Embedding width is {self.dim}, but must be 2 to 4096; 128 is a good start.",
        )
        check(
            0 <= self.dropout < 1,
            f"The share of dropped values is {self.dropout}, but must lie between 0 and 1; try 0.2.",
        )


@dataclass(frozen=True, kw_only=True)
class MiningConfig:
    """How batches are composed, and what is chosen inside them."""

    miner: Miner = "bon"
    in_batch: InBatchMiner = "distance-weighted"  # unless the miner itself is one
    classes: int = 32  # P
    images: int = 4  # m
    groups: int = 8  # G, seeds of a batch
    bits: int | None = None  # S; None: clamp(round(log2(N / 32)), 4, 20)
    capacity: int | None = None  # C; None: 4 N / 2^S, rounded up to a multiple of 8
    mate_share: float = 1.0  # of the P - G places open to bucket mates, the largest share that they get
    mate_schedule: MateSchedule = "ramp"
    mate_ramp: float = 0.1  # share of the training over which the ramp grows from 0
    active_goal: float = 0.6  # share of anchors that violate the margin: "active" adds mates below it
    hamming: bool = False  # look into the S Hamming-1 buckets before falling back to random
    memory: int = 2048  # latest embeddings that xbm chooses from

    def __post_init__(self) -> None:
        _check_choices(self)
        check(
            2 <= self.classes <= 4096,
            f"A batch of {self.classes} classes has no negatives or no end; give 2 to 4096 classes.",
        )
        check(
            2 <= self.images <= 64,
            f"{self.images} images a class leave no positive pair or no batch; give 2 to 64 images.",
        )
        check(
            1 <= self.groups <= self.classes,
            f"{self.groups} groups do not fit a batch of {self.classes} classes; give --groups 1 to {self.classes}.",
        )
        check(
            self.bits is None or 1 <= self.bits <= 30,
            f"{self.bits} bits are not possible; a code has 1 to 30 bits, or leave bits out to choose by data size.",
        )
        check(
            self.capacity is None or self.capacity >= 1,
            f"A bucket of capacity {self.capacity} holds nothing; give 1 or more, or leave it out.",
        )
        check(
            0 <= self.mate_share <= 1,
            f"The share of bucket mates is {self.mate_share}, but a share lies between 0 and 1; give such a number.",
        )
        check(
            self.miner != "xbm" or self.memory >= self.batch,
            f"A memory of {self.memory} embeddings does not hold a batch of {self.batch}; give {self.batch} or more.",
        )
        check(
            0 < self.active_goal < 1,
            f"The goal for active anchors is {self.active_goal}, but must lie between 0 and 1; try 0.6.",
        )
        check(
            0 <= self.mate_ramp <= 1,
            f"The ramp of bucket mates is {self.mate_ramp}, but must lie between 0 and 1; try 0.1.",
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
    """Divide and conquer (CVPR 2019): K learners, and when they work apart. Shares are of the whole training."""

    learners: int = 4  # K; 1 trains one undivided embedding
    warmup: float = 0.5  # joint training before the first division
    split: float = 0.25  # one slice of the embedding, one cluster
    conquer: float = 0.05  # whole embedding, all data, at the end; what lies between is whole embedding, one cluster
    recluster_every: int = 2  # T, epochs
    random_share: float = 0.25  # with BoN inside a cluster, the share of classes drawn at random
    feature: ClusterFeature = "embedding"
    matching: Matching = "hungarian"
    masks: Masks = "fixed"  # "learned": each learner sees the whole embedding through a mask of its own
    doubling: bool = False  # 2 learners at first, twice as many at each re-clustering, up to K
    test_norm: TestNorm = "slices"  # "whole": outside training the slices keep their lengths

    def __post_init__(self) -> None:
        _check_choices(self)
        check(1 <= self.learners <= 32, f"{self.learners} learners are not possible; give 1 (undivided) to 32.")
        for name in ("warmup", "split", "conquer", "random_share"):
            value = getattr(self, name)
            check(0 <= value <= 1, f"The {name} share is {value}, but a share lies between 0 and 1; give one.")
        total = self.warmup + self.split + self.conquer
        check(
            total <= 1 + 1e-9,
            f"Warm-up, split and conquer add up to {total:g} of the training, but at most 1 is there; lower one.",
        )
        check(
            self.recluster_every >= 1,
            f"Re-clustering every {self.recluster_every} epochs is not possible; give 1 or more.",
        )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Loss, optimiser, budget, and how often things are written down."""

    loss: Loss = "margin"
    margin: float = 0.2
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4  # not of norms, biases and what the loss learns
    clip_norm: float | None = None  # the gradient's length is cut to it
    patience: int | None = None  # evaluations without a rise of MAP@R that end the training; needs a hold-out
    augment: bool = True
    epochs: float = 40.0  # an epoch is N / B iterations
    minutes: float | None = None  # of the whole run, map included, in place of epochs
    seed: int = 0
    device: Device = "auto"
    precision: Precision = "auto"  # of the backbone: bfloat16 on a GPU that is made for it, float32 elsewhere
    compile: bool = False  # the backbone, by torch.compile; GPUs only
    evaluate_every: float = 2.0  # epochs
    checkpoint_every: float = 5.0  # epochs
    audit_every: int = 1  # steps between two fully recorded ones

    def __post_init__(self) -> None:
        _check_choices(self)
        check(0 < self.epochs <= 100_000, f"{self.epochs:g} epochs cannot be trained; give more than 0.")
        check(
            self.minutes is None or 0.1 <= self.minutes <= 100_000,
            f"A run of {self.minutes or 0:g} minutes cannot be trained and mapped; give 0.1 or more, or none.",
        )
        check(0 < self.learning_rate < 10, f"A learning rate of {self.learning_rate:g} cannot train; try 0.001.")
        check(
            self.clip_norm is None or self.clip_norm > 0,
            f"A gradient cut to {self.clip_norm or 0:g} does not move anything; give more than 0, or leave it out.",
        )
        check(
            self.patience is None or self.patience >= 1,
            f"A patience of {self.patience} evaluations ends at once; give 1 or more, or leave it out.",
        )
        check(0 <= self.weight_decay < 1, f"A weight decay of {self.weight_decay:g} cannot train; try 0.0001.")
        check(
            0 < self.margin <= 2,
            f"The margin is {self.margin:g}, but distances end at 2; give more than 0 and at most 2, such as 0.2.",
        )
        check(0 <= self.seed < 2**31, f"The seed is {self.seed}, but must be 0 to 2147483647; give one.")
        check(
            self.evaluate_every > 0,
            f"Evaluating every {self.evaluate_every:g} epochs is not possible; give more than 0.",
        )
        check(
            self.checkpoint_every > 0,
            f"A checkpoint every {self.checkpoint_every:g} epochs is not possible; give more than 0.",
        )
        check(self.audit_every >= 1, f"Recording every {self.audit_every} steps is not possible; give 1 or more.")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All that decides a run. The same config gives the same run."""

    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    mining: MiningConfig = field(default_factory=MiningConfig)
    division: DivisionConfig = field(default_factory=DivisionConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

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
