"""The phases of a divided training to scale, and when the data was divided anew."""

from collections.abc import Sequence

from app import theme
from app.phases import PHASES
from app.views.clusters.flows import Phase
from app.widgets.primitives.board import board, text

NAMES = {  # phase: its name, what happens in it
    "joint": ("Warm-up", "One embedding learns from all data: first there must be something to divide."),
    "split": ("Divide", "Each learner trains its own slice of the embedding, on its own cluster."),
    "clustered": ("Clusters, undivided", "The whole embedding trains; a batch still comes from one cluster."),
    "conquer": ("Conquer", "Everything together: the slices are tuned to one another."),
}

CSS = """
.phases .bar {position: relative; display: flex; height: 14px; border-radius: 7px; overflow: hidden}
.phases .ticks {position: relative; height: 12px}
.phases .ticks i {position: absolute; top: 2px; width: 0; height: 0; transform: translateX(-50%);
  border: 5px solid transparent; border-bottom: 7px solid var(--st-text-color); border-top: 0; opacity: .75}
.phases .caption {display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 6px 18px;
  margin-top: 4px}
.phases .caption b {display: block; font-weight: 620}
.phases .caption b i {display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 6px}
"""


def phase_strip(phases: Sequence[Phase], clusterings: Sequence[int], *, key: str) -> None:
    """Draw it. `clusterings` are the steps at which the data was divided."""
    whole = max(phases[-1].end, 1)
    bar = "".join(
        f'<span style="width:{100 * (phase.end - phase.start) / whole:.2f}%;background:{PHASES[phase.name]}"'
        f' title="{text(NAMES[phase.name][0])}: steps {phase.start:,} to {phase.end:,}"></span>'
        for phase in phases
    )
    ticks = "".join(
        f'<i style="left:{100 * step / whole:.2f}%" title="divided anew at step {step:,}"></i>' for step in clusterings
    )
    caption = "".join(
        f'<div><b><i style="background:{PHASES[name]}"></i>{text(NAMES[name][0])}</b>'
        f'<span class="dim">{text(NAMES[name][1])} {text(_steps(phases, name))}</span></div>'
        for name in dict.fromkeys(phase.name for phase in phases)
    )
    times = f"{len(clusterings)} times" if len(clusterings) > 1 else "once"
    marked = f"▲ k-means divided the data: {times}, on the embedding as it was then." if clusterings else ""
    board(
        f'<div class="phases"><div class="bar">{bar}</div><div class="ticks">{ticks}</div>'
        f'<div class="dim">{marked}</div><div class="caption">{caption}</div></div>',
        key=key,
        css=CSS,
    )


def _steps(phases: Sequence[Phase], name: str) -> str:
    own = [phase for phase in phases if phase.name == name]
    return f"{theme.count(sum(phase.end - phase.start for phase in own))} steps."
