"""How long a run still takes after its last step: embedding, measuring, mapping.

An estimate out of what the run has measured of itself: how fast it embeds and compares vectors, and how fast maps are
drawn here.

Legend: N samples of the snapshot, E of an evaluation, D embedding width.
"""

import numpy as np

from bon_core.config import RunConfig
from bon_core.evaluation.index import FLAT_LIMIT
from bon_core.maps.projection import layout_work, rehearsed, usual_pace
from bon_core.runs.build_snapshot import MAX_COMPARED, MAX_SLICED
from bon_core.training.evaluator import PREVIEW_SAMPLES, Data, Evaluator

ALWAYS = 1.5  # seconds to read the checkpoint, and to write weights, snapshot and card
GRAPH = 25_000  # comparisons that building and walking a graph costs a sample
ROUNDS = 25  # of k-means, for NMI
TRUSTED = 2000  # samples by which the map is checked, each compared with all


class Aftermath:
    """The seconds from the last step to the end of a run.

    Parameters
    ----------
    shown : how many samples the snapshot will show
    rehearse : draw a small map to know how fast maps are drawn here; else it is guessed from the comparisons
    """

    def __init__(self, config: RunConfig, data: Data, evaluator: Evaluator, *, shown: int, rehearse: bool):
        self.evaluator, self.shown = evaluator, shown
        self.learners, self.dim = config.division.learners, config.network.dim
        share = shown / len(data)
        names, sizes = np.unique(data.split, return_counts=True)
        self.sizes = [size * share for size in sizes]
        self.classes = [len(np.unique(data.labels[data.split == name])) for name in names]
        self.values = int(np.prod(data.samples[:1].shape[1:]))  # of a sample before the network
        self.map_pace = rehearsed() if rehearse else None  # seconds a unit of work

    def seconds(self, previews: int) -> float:
        """As measured until now; `previews` is how many moments the film has."""
        comparing = self.evaluator.comparing  # seconds a comparison and dimension
        evaluated = len(self.evaluator.images)
        compared = sum(size * min(size, GRAPH if size > FLAT_LIMIT else size) for size in self.sizes) * self.dim
        compared += evaluated**2 * self.values  # without the network
        pairs = zip(self.sizes, self.classes, strict=True)
        clustered = sum(size * classes * ROUNDS for size, classes in pairs if size * classes <= MAX_COMPARED)
        compared += clustered * self.dim + 2 * TRUSTED * self.shown * self.dim
        if self.learners > 1:
            compared += min(self.sizes[-1], MAX_SLICED) * self.sizes[-1] * self.dim
        film = previews * layout_work(min(PREVIEW_SAMPLES, evaluated), film=True)
        drawn = (layout_work(self.shown) + film) * (self.map_pace or usual_pace(comparing))
        return ALWAYS + self.evaluator.embedding * self.shown + comparing * compared + drawn
