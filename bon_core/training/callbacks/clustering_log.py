"""What each division of the data did, for the pages about clusters."""

from typing import TYPE_CHECKING

import numpy as np

from bon_core.base.files import whole_file
from bon_core.runs.events import EventLog
from bon_core.runs.run import Run
from bon_core.training.callbacks.callback import Callback

if TYPE_CHECKING:
    from bon_core.division import Partition
    from bon_core.training.loop import Trainer


class ClusteringLog(Callback):
    """Writes a "clustering" event and the clusters themselves, as `Run.clusterings` reads them."""

    def __init__(self, run: Run, events: EventLog, *, steps_per_epoch: int):
        self.run, self.events, self.steps_per_epoch = run, events, steps_per_epoch

    def on_clustering_end(self, trainer: "Trainer", partition: "Partition", seconds: float) -> None:
        if not trainer.processes.first:
            return
        step, current = trainer.step, partition.current
        file = self.run.clustering_path(step)
        file.parent.mkdir(exist_ok=True)
        with whole_file(file) as path:
            np.savez_compressed(
                path,
                step=step,
                seed=trainer.seed + step,
                ids=trainer.ids.cpu().numpy(),
                raw=partition.raw.labels.astype(np.int16),
                aligned=current.labels.astype(np.int16),
                kept=partition.paired,
                centroids=current.centroids.astype(np.float32),
                objective=current.objective,
                confusion=partition.confusion(),  # current x previous
            )
        self.events.write(
            "clustering",
            step=step,
            epoch=step / self.steps_per_epoch,
            seconds=trainer.seconds,
            **partition.summary(),
            milliseconds=1000 * seconds,
        )
