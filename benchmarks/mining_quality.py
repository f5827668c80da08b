"""How hard are the negatives that a miner brings together, and how healthy is the bag while a network trains?

    python -m benchmarks.mining_quality --omniglot PATH

Two parts. Trainings of one network a miner, watched at ten moments: all training images are embedded, and every
anchor's nearest negative in composed batches is ranked among all negatives there are (exact search). And still
embeddings of 200,000 samples, where a batch of 128 out of buckets stands against a uniform one of 512.
Writes benchmarks/results/mining_quality.md and .svg.
"""

import argparse
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks.mining_cost import DIM as EMBEDDING_DIM
from benchmarks.mining_cost import Embeddings
from benchmarks.report import RESULTS, machine, write_report
from benchmarks.trial import DIM, Trial, TrialData, add_sources, run, sources_of
from bon_core.config import MiningConfig
from bon_core.mining import BagOfNegatives, BatchMiner, Uniform, make_batch_miner
from bon_core.networks.embedding import embed
from bon_core.networks.network import EmbeddingNetwork

MINERS = ("bon", "lsh", "neighbours", "exact", "uniform")
STEPS = 5_000
BATCHES = 16  # composed to look at
STILL, STILL_STEPS = 200_000, 4_000
COLOURS = ["#0072B2", "#56B4E9", "#009E73", "#D55E00", "#999999"]  # Okabe-Ito


def ranked(vectors: Tensor, labels: Tensor, batches: Tensor) -> dict[str, float]:
    """Hardness of the nearest negative of every row in its batch, against all N.

    vectors (N, D) unit, labels (N,), batches (n, B) ids. `percentile`: share of all negatives that are farther;
    `hardness`: 0 for the mean distance of a negative, 1 for the nearest there is.
    """
    percentile, hardness = [], []
    for ids in batches:
        everyone = (2 - 2 * vectors[ids] @ vectors.T).clamp_min(0).sqrt()  # (B, N)
        strange = labels[ids][:, None] != labels
        negatives = everyone.masked_fill(~strange, torch.inf)
        chosen = negatives[:, ids].amin(1, keepdim=True)  # (B, 1)
        percentile.append((negatives.gt(chosen) & strange).sum(1) / strange.sum(1))
        mean = everyone.mul(strange).sum(1) / strange.sum(1)
        hardness.append((mean - chosen[:, 0]) / (mean - negatives.amin(1)).clamp_min(1e-6))
    return {"percentile": float(torch.cat(percentile).mean()), "hardness": float(torch.cat(hardness).mean())}


def watch(network: EmbeddingNetwork, data: TrialData, miner: BatchMiner, mining: MiningConfig) -> dict[str, Any]:
    """Rank what the miner would bring together now, and see how many stored codes are fresh."""
    vectors = torch.from_numpy(embed(network, data.samples, device="cpu"))
    beside = make_batch_miner(mining, data.labels, dim=DIM)  # a twin, so that looking does not change the training
    beside.load_state_dict(miner.state_dict())
    batches = [beside.compose(mining.classes, mining.images, mining.groups).clone() for _ in range(BATCHES)]
    found = ranked(vectors, data.labels, torch.stack(batches))
    if isinstance(miner, BagOfNegatives):
        known = miner.codes >= 0
        fresh = miner.hasher.codes(vectors)
        found["fresh"] = float((miner.codes == fresh)[known].float().mean())
        apart = torch.bitwise_xor(miner.codes, fresh)[known].numpy()
        found["bits_apart"] = float(np.bitwise_count(apart).mean())
    return found


def trainings(given: argparse.Namespace) -> pd.DataFrame:
    """One row a data set, miner and moment."""
    rows = []
    for data in ("omniglot", "glyphs"):
        for miner in MINERS:
            trial = Trial(data=data, method=miner, mining={"miner": miner}, steps=given.steps)
            for moment in run(trial, sources_of(given), watch)["curve"][:-1]:
                stats = moment.pop("stats")
                rows.append({"data": data, "miner": miner, **moment, **stats})
            print(data, miner, rows[-1], flush=True)
    return pd.DataFrame(rows)


def still() -> dict[str, dict[str, float]]:
    """Batches of 128 out of the buckets of a settled bag, and uniform ones, over embeddings that do not move."""
    embeddings = Embeddings(STILL)
    vectors = embeddings[torch.arange(STILL)]
    bags = {
        "bon, 128": BagOfNegatives(embeddings.labels, dim=EMBEDDING_DIM),
        "lsh, 128": BagOfNegatives(embeddings.labels, dim=EMBEDDING_DIM, hasher="lsh"),
    }
    found = {}
    for name, bag in bags.items():
        for _ in range(STILL_STEPS):
            ids = bag.compose()
            bag.update(ids, vectors[ids])
        found[name] = ranked(vectors, embeddings.labels, torch.stack([bag.compose().clone() for _ in range(8)]))
        found[name] |= {key: bag.stats()[key] for key in ("entropy_share", "unserved_rate")}
    uniform = Uniform(embeddings.labels, dim=EMBEDDING_DIM)
    for classes in (32, 128):
        batches = torch.stack([uniform.compose(classes).clone() for _ in range(4)])
        found[f"uniform, {4 * classes}"] = ranked(vectors, embeddings.labels, batches)
    return found


def plot(table: pd.DataFrame, path: Path) -> None:
    """Small multiples: hardness, and the bag's health, over the steps."""
    shown = {
        "percentile": "hardness percentile",
        "fresh": "codes still true",
        "entropy_share": "entropy / bits",
        "fallback_rate": "fallback rate",
    }
    long = table.melt(["data", "miner", "step"], list(shown), "figure").dropna()
    long["figure"] = long["figure"].map(shown)
    chart = (
        alt.Chart(long)
        .mark_line(point=alt.OverlayMarkDef(size=12), strokeWidth=1.6)
        .encode(
            alt.X("step:Q", title=None, axis=alt.Axis(tickCount=3, grid=False)),
            alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=4), scale=alt.Scale(zero=False)),
            alt.Color("miner:N", title=None, sort=list(MINERS), scale=alt.Scale(range=COLOURS)),
        )
        .properties(width=170, height=120)
        .facet(
            column=alt.Column("figure:N", title=None, sort=list(shown.values())),
            row=alt.Row("data:N", title=None, sort=["omniglot", "glyphs"]),
        )
        .resolve_scale(y="independent")
    )
    chart.save(path)


def report(table: pd.DataFrame, still_batches: dict[str, dict[str, float]], steps: int) -> None:
    """The bars, then all figures."""
    last = table.sort_values("step").groupby(["data", "miner"], sort=False).last().reset_index()
    bon = last[last["miner"] == "bon"]
    composed, uniform = still_batches["bon, 128"]["hardness"], still_batches["uniform, 512"]["hardness"]
    verdict = {True: "held", False: "**missed**"}
    served = float(1 - bon["unserved_rate"].max())
    entropy = float(table[(table["miner"] == "bon") & (table["step"] >= steps / 4)]["entropy_share"].min())
    lines = [
        machine(),
        "",
        f"Written by `python -m benchmarks.mining_quality`. Trainings of {steps:,} steps of 8 classes x 2 images,"
        " triplet loss on batch-hard triplets; the miner is all that differs. Percentile: share of all negatives"
        " that are farther from the anchor than the nearest one in its batch, by exact search.",
        "",
        "## Bars",
        "",
        f"- seeds served with a bucket mate at the end: {served:.1%}, bar 99 %: {verdict[served >= 0.99]}",
        f"- lowest entropy / S after a quarter of the steps: {entropy:.2f}, bar 0.8: {verdict[entropy >= 0.8]}",
        f"- hardness of a composed batch of 128 at N = {STILL:,}: {composed:.3f}, of a uniform one of 512:"
        f" {uniform:.3f}, bar: not below it: {verdict[composed >= uniform]}",
        "",
        "## While a network trains",
        "",
        "![hardness and health over training](mining_quality.svg)",
        "",
        "At the last look, seven eighths of the way:",
        "",
        "| data | miner | percentile | hardness | entropy / S | fallback | still true | bits apart | recall@1 |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {row.data} | {row.miner} | {row.percentile:.4f} | {row.hardness:.3f} | {cell(row.entropy_share)} |"
            f" {cell(row.fallback_rate)} | {cell(row.fresh)} | {cell(row.bits_apart)} | {row.recall:.3f} |"
            for row in last.rename(columns={"recall@1": "recall"}).itertuples()
        ),
        "",
        '"codes still true": share of stored codes equal to those of the present network on the plain image; the stored'
        ' ones are of a varied image and an older network. "bits apart": how many bits differ, of S.',
        "",
        f"## Over embeddings that do not move, N = {STILL:,}",
        "",
        "| batch | percentile | hardness | entropy / S | seeds unserved |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {row['percentile']:.5f} | {row['hardness']:.3f} | {cell(row.get('entropy_share'))} |"
            f" {cell(row.get('unserved_rate'))} |"
            for name, row in still_batches.items()
        ),
    ]
    write_report("mining_quality", "Quality of mining", lines)


def cell(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_sources(parser)
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    still_batches = still()
    print(still_batches, flush=True)
    table = trainings(given)
    plot(table, RESULTS / "mining_quality.svg")
    report(table, still_batches, given.steps)


if __name__ == "__main__":
    main()
