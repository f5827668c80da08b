"""The card of a trained run: what it is, how it came about, what it measures. Markdown beside the weights."""

import platform
from importlib.metadata import version
from typing import Any

from bon_core.base.files import write_text
from bon_core.runs.build_snapshot import DISJOINT, PROTOCOL
from bon_core.runs.run import Run

PACKAGES = ("torch", "pytorch-metric-learning", "faiss-cpu", "umap-learn", "numpy")


def write_card(run: Run) -> None:
    """Write card.md from the run's own records; nothing in it is typed by hand."""
    shot, config = run.snapshot(), run.config
    commands = [event["text"] for event in run.events("message")]
    evaluations = run.events("evaluation")
    steps = run.events("step")
    lines = [
        f"# {run.name}",
        "",
        f"A {config.network.backbone} network with a {config.network.dim}-wide embedding, trained on"
        f" {shot.meta['data']} with the {config.mining.miner} miner and {config.division.learners} learner(s).",
        "",
        "## How it was made",
        "",
        "```",
        *commands,
        "```",
        "",
        f"Seed {config.training.seed}; {shot.step} steps of {config.mining.batch} images"
        f" ({shot.meta['epoch']:.1f} epochs), {steps[-1]['seconds']:.0f} s of training steps"
        f" on {platform.machine()} with Python {platform.python_version()}.",
        "Packages: " + ", ".join(f"{name} {version(name)}" for name in PACKAGES) + ".",
        "",
        "## What it measures",
        "",
        *_metrics(shot.metrics),
        "",
        *([shot.collapse, ""] if shot.collapse else []),
        f"The same held-out samples as {shot.meta['baseline'].get('of', 'raw pixels')}, without the network: Recall@1"
        f" {shot.meta['baseline']['recall@1']:.3f}."
        if shot.meta["baseline"]
        else "",
        f"Protocol: {PROTOCOL + DISJOINT}. One seed, so no interval.",
        "",
        "## Curve on held-out classes",
        "",
        "| step | seconds | Recall@1 | MAP@R |",
        "|---|---|---|---|",
        *(
            f"| {event['step']} | {event['seconds']:.0f} | {event['recall@1']:.3f} | {_shown(event['map@r'])} |"
            for event in evaluations
        ),
        "",
    ]
    write_text(run.path / "card.md", "\n".join(lines))


def _metrics(metrics: dict[str, dict[str, Any]]) -> list[str]:
    names = {"recall@1": "Recall@1", "recall@2": "@2", "recall@4": "@4", "recall@8": "@8"}
    names |= {"r_precision": "R-Precision", "map@r": "MAP@R", "nmi": "NMI"}
    head = "| split | " + " | ".join(names.values()) + " | queries | classes |"
    rows = [
        f"| {split} | "
        + " | ".join(_shown(found[name]) for name in names)
        + f" | {found['queries']} | {found['classes']} |"
        for split, found in metrics.items()
    ]
    return [head, "|---" * (len(names) + 3) + "|", *rows]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
