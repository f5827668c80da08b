"""A walk over the pages of both bundled runs: what they show is the same on every page, in the documents, and in NumPy.

What is expected is worked out here from the files of a run, never by a function of the product.
"""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from app.widgets.primitives import board

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
RUNS = ("glyphs-bon-dc4", "glyphs-uniform")
DIVIDED, UNDIVIDED = RUNS
MARGIN, NEAR = 0.2, 15


# What is in the files -------------------------------------------------------------------------------------------------


@cache
def meta(run: str) -> dict:
    return json.loads((folder(run) / "meta.json").read_text(encoding="utf-8"))


def folder(run: str) -> Path:
    return max((ROOT / "models" / run / "snapshots").iterdir())


@cache
def column(run: str, name: str, split: int = 1) -> np.ndarray:
    """A column of the snapshot, of the test samples."""
    whole = np.load(folder(run) / f"{name}.npy")
    return whole[np.load(folder(run) / "split.npy") == split]


@cache
def vectors(run: str) -> np.ndarray:
    found = column(run, "vectors").astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@cache
def sought(run: str, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Rows of the test split: each one's nearest other, by NumPy alone, in the whole embedding or in some columns.

    The vectors are kept as float16, so that a near tie may fall otherwise than in the training's float32.
    """
    seen = vectors(run)[:, start:stop]
    seen = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    nearest = np.empty(len(seen), np.int64)
    for first in range(0, len(seen), 2000):
        alike = seen[first : first + 2000] @ seen.T
        alike[np.arange(len(alike)), first + np.arange(len(alike))] = -9
        nearest[first : first + 2000] = alike.argmax(axis=1)
    return nearest


@cache
def nearest(run: str) -> np.ndarray:
    """The same as the run's files have it: rows of the test split."""
    rows = np.flatnonzero(np.load(folder(run) / "split.npy") == 1)
    return np.searchsorted(rows, np.load(folder(run) / "neighbours.npy")[rows, 0])


def recall(run: str, start: int = 0, stop: int | None = None) -> float:
    labels = column(run, "labels")
    return float((labels[sought(run, start, stop)] == labels).mean())


def entropy_share(run: str, split: int = 1) -> float:
    codes = column(run, "codes", split)
    shares = np.bincount(codes) / len(codes)
    return float(-sum(p * np.log2(p) for p in shares if p) / bits(run))


@cache
def bits(run: str) -> int:
    return np.load(folder(run) / "hash_projection.npy").shape[1]


@cache
def trust(run: str) -> float:
    """Of the 15 nearest in truth, how many are among the 15 nearest on the map; on every tenth test sample."""
    from scipy.spatial import cKDTree

    rows = np.flatnonzero(np.load(folder(run) / "split.npy") == 1)
    xy = np.load(folder(run) / "xy.npy")[rows]
    true = np.searchsorted(rows, np.load(folder(run) / "neighbours.npy")[rows, :NEAR])
    _, near = cKDTree(xy).query(xy, k=NEAR + 1)
    return float(np.mean([len(set(true[row]) & set(near[row][near[row] != row])) / NEAR for row in range(len(rows))]))


@cache
def audit(run: str) -> dict[str, np.ndarray]:
    table = pq.read_table([str(part) for part in sorted((ROOT / "models" / run / "audit").glob("part-*.parquet"))])
    return {name: table[name].to_numpy() for name in table.column_names}


@cache
def late(run: str) -> tuple[np.ndarray, np.ndarray]:
    """Distances of the triplets of the last thirty recorded steps."""
    rows = audit(run)["step"] >= np.unique(audit(run)["step"])[-30]
    rows &= audit(run)["negative"] >= 0
    return audit(run)["d_ap"][rows], audit(run)["d_an"][rows]


def pairs(run: str) -> dict[tuple[str, str], int]:
    """How many samples of two classes have their nearest in the other, either way."""
    labels, names = column(run, "labels"), meta(run)["class_names"]
    found: dict[tuple[str, str], int] = {}
    for one, other in zip(labels, labels[nearest(run)], strict=True):
        if one != other:
            key = tuple(names[label] for label in sorted((int(one), int(other))))
            found[key] = found.get(key, 0) + 1
    return found


# What is on the pages -------------------------------------------------------------------------------------------------


@pytest.fixture
def read(tmp_path, monkeypatch):
    """read("map", run) -> all text that the page shows, tags left out, and the page."""
    monkeypatch.setenv("BON_RUNS", str(tmp_path))
    boards: list[str] = []
    original = board._board

    def draw(*, data: dict, **options):
        boards.append(data["html"].rpartition("</style>")[2])
        return original(data=data, **options)

    monkeypatch.setattr(board, "_board", draw)

    def shown(app: AppTest) -> str:
        boards.clear()
        app.run()
        assert not app.exception, app.exception[0].stack_trace
        return plain(app, boards)

    def open_page(name: str, run: str, press: str = "", **query: str) -> str:
        app = AppTest.from_file(ROOT / "app" / "main.py", default_timeout=120)
        app.query_params["run"] = run
        for key, value in query.items():
            app.query_params[key] = value
        if name != "start":
            app.switch_page(f"views/{name}/{name}.py")
        text = shown(app)
        if press:
            app.button(key=press).click()
            text = shown(app)
        return text

    return open_page


def plain(app: AppTest, boards: list[str]) -> str:
    """The text of a page, with a bar between two elements."""
    parts = [element.proto.body for element in app.get("html")] + boards
    parts += [element.value for kind in (app.header, app.markdown) for element in kind]
    text = re.sub(r"<style>.*?</style>", " ", "\n".join(parts), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "|", text)).replace("\u00a0", " ").replace("&#x27;", "'")


def figure(text: str, name: str) -> str:
    """The value over a name in a row of figures."""
    found = re.findall(rf"\|([^|]+)\|+{re.escape(name)}\|", text)
    assert len(found) == 1, (name, found)
    return found[0]


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


# The walk -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", RUNS)
def test_recall_is_one_number_wherever_it_stands(read, run):
    truth = recall(run)
    assert (sought(run) == nearest(run)).mean() > 0.998, "what the run's files hold is what a search finds"
    assert figure(read("start", run), "Recall@1, test") == percent(truth)
    assert figure(read("map", run), "Recall@1") == percent(truth)
    assert percent(truth) in read("compare", run)
    card = (ROOT / "models" / run / "card.md").read_text(encoding="utf-8")
    assert f"| test | {truth:.3f} |" in card
    assert f"Recall@1 {truth:.3f}" in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    if run != UNDIVIDED:
        assert f"Recall@1 {truth:.3f}" in (ROOT / "README.md").read_text(encoding="utf-8")
    evaluations = [json.loads(line) for line in (ROOT / "models" / run / "events.jsonl").open(encoding="utf-8")]
    last = [event for event in evaluations if event["kind"] == "evaluation"][-1]
    assert last["recall@1"] == pytest.approx(truth, abs=1e-4)


@pytest.mark.parametrize("run", RUNS)
def test_bucket_entropy_is_that_of_the_splits_codes_on_every_page(read, run):
    for split, code in (("test", 1), ("train", 0)):
        truth = percent(entropy_share(run, code), 0)
        assert figure(read("start", run, split=split), "bucket entropy") == truth
        assert figure(read("buckets", run, split=split), "bucket entropy") == truth


def test_the_miners_table_is_another_thing_with_another_name(read):
    steps = [json.loads(line) for line in (ROOT / "models" / DIVIDED / "events.jsonl").open(encoding="utf-8")]
    last = [event for event in steps if event["kind"] == "step"][-1]["entropy_share"]
    text = read("buckets", DIVIDED)
    assert f"Table entropy||{percent(last, 0)} at the last step" in text.replace("|" * 3, "||")
    assert percent(last, 0) != figure(text, "bucket entropy")


@pytest.mark.parametrize("run", RUNS)
def test_the_trust_of_the_map_is_one_number(read, run):
    truth = trust(run)
    assert f"|{percent(truth, 0)}|map trust|" in re.sub(r"\|+", "|", read("map", run).replace("||", "|"))
    text = read("learn", run, "reveal", scene="map")
    assert f"|{percent(truth, 0)}|" in text and f"{truth * NEAR:.1f} of {NEAR}" in text


def test_a_point_on_the_map_is_trusted_by_what_its_panel_counts(read):
    rows = np.flatnonzero(np.load(folder(DIVIDED) / "split.npy") == 1)
    for row in rows[[0, 5000, 12000]]:
        identity = str(np.load(folder(DIVIDED) / "ids.npy")[row])
        share = float(np.load(folder(DIVIDED) / "trust.npy")[row])
        text = read("map", DIVIDED, at=identity)
        assert f"{round(share * NEAR)} of {NEAR} agree" in text and f"|{percent(share, 0)} of {NEAR}|" in text


@pytest.mark.parametrize("run", RUNS)
def test_confused_classes_are_counted_alike_and_never_more_often_than_there_are_samples(read, run):
    truth, labels, names = pairs(run), column(run, "labels"), meta(run)["class_names"]
    sizes = {name: int((labels == label).sum()) for label, name in enumerate(names)}
    start, page = (re.sub(r"\|[| ]*", "|", read(name, run)) for name in ("start", "retrieval"))
    start = re.findall(r"\|([^|]+)\|↔ ?\|([^|]+)\|([\d,]+) of their ([\d,]+) samples", start)
    page = re.findall(r"\|([^|]+)\|↔ ?\|([^|]+)\|([\d,]+) of ([\d,]+)(?=\|)", page)
    assert len(start) == 3 and len(page) == 24
    assert [pair[2:] for pair in start] == [pair[2:] for pair in page[:3]]
    counts = [int(count) for _, _, count, _ in page]
    assert counts == sorted(truth.values(), reverse=True)[:24]
    for one, other, count, samples in start:
        assert truth[one, other] == int(count) <= int(samples) == sizes[one] + sizes[other]


@pytest.mark.parametrize("run", RUNS)
def test_violations_of_the_margin_are_one_number_and_called_that(read, run):
    d_ap, d_an = late(run)
    truth = percent(float((d_an < d_ap + MARGIN).mean()), 0)
    assert figure(read("negatives", run, show="Drag the margin"), "of these triplets violate it") == truth
    text = read("learn", run, "reveal", scene="margin")
    assert f"|{truth}| of the triplets violate a margin of 0.20" in text
    assert f"Of their triplets {truth} violate the margin." in text
    step = audit(run)["step"].max()
    rows = audit(run)["step"] == step
    share = (audit(run)["d_an"][rows] < audit(run)["d_ap"][rows] + MARGIN).mean()
    assert figure(read("negatives", run), "violate the margin") == percent(float(share), 0)
    everybody = audit(run)["negative"] >= 0
    share = (audit(run)["d_an"] < audit(run)["d_ap"] + MARGIN)[everybody].mean()
    assert figure(read("negatives", run, show="Mined most"), "violated the margin") == percent(float(share), 0)


@pytest.mark.parametrize("run", RUNS)
def test_the_first_question_is_answered_by_the_margin_loss_of_the_run(read, run):
    d_ap, d_an = (distance.astype(np.float64) for distance in late(run))
    boundaries = np.linspace(0, 2, 4001)
    lowest = min(((d_ap > beta - MARGIN) | (d_an < beta + MARGIN)).mean() for beta in boundaries)
    text = read("learn", run, "reveal", scene="margin")
    assert "✓||more than half" in re.sub(r"\|+", "||", text)
    said = int(re.search(r"\|at least (\d+) %\|", text)[1])
    assert 100 * lowest - 1.1 < said <= 100 * lowest
    assert f"at least {said} % had a loss above zero" in read("negatives", run, show="Drag the margin")


def test_slices_are_the_same_on_both_pages_and_what_is_said_follows(read):
    found = meta(DIVIDED)["division"]
    width = vectors(DIVIDED).shape[1] // 4
    alone = [recall(DIVIDED, k * width, (k + 1) * width) for k in range(4)]
    assert alone == pytest.approx(found["slice_recall"], abs=5e-4)
    clusters, learn = read("clusters", DIVIDED), read("learn", DIVIDED, "reveal", scene="divide")
    for share in found["slice_recall"]:
        assert f"its slice alone: Recall@1 {percent(share)} (test)" in clusters
        assert f"alone {percent(share)} Recall@1" in learn
    gain = 100 * (recall(DIVIDED) - max(found["slice_recall"]))
    for text in (clusters, learn):
        assert f"together they gain {gain:.1f} points" in text and percent(recall(DIVIDED)) in text
    assert gain < 1 and "all slices together are hardly better than the best one alone" in learn


def test_the_scenes_speak_of_the_same_share_of_all_negatives(read):
    texts = {scene: read("learn", DIVIDED, "reveal", scene=scene) for scene in ("random", "hashing", "divide")}
    share = re.search(r"Of all negatives ([\d.]+) % violate", texts["hashing"])[1]
    assert f"Of all negatives {share} % violate" in texts["divide"]
    alive, of = re.search(r"\|([\d.]+) of (\d+)\|", texts["random"]).groups()
    assert int(of) == 31 * 4
    assert float(alive) / int(of) == pytest.approx(float(share) / 100, abs=0.001)
    bars = [re.findall(r"\|([\d.]+) %\|", texts[scene]) for scene in ("hashing", "divide")]
    assert share in bars[0] and share in bars[1]
    assert "124" not in texts["hashing"], "a scene of shares, not of a batch's numbers"


def test_who_moved_most_is_counted_as_it_is_selected(read, monkeypatch):
    text = read("compare", DIVIDED)
    count = int(re.search(r"\*\*Moved most\*\* · ([\d,]+)", text)[1].replace(",", ""))
    app = AppTest.from_file(ROOT / "app" / "main.py", default_timeout=120)
    app.query_params["run"] = DIVIDED
    app.switch_page("views/compare/compare.py").run()
    app.button(key="movers-select").click().run()
    assert len(app.session_state["selection"].now.ids) == count
    right = {run: column(run, "labels")[nearest(run)] == column(run, "labels") for run in RUNS}
    for word, turned in (("right", ~right[DIVIDED] & right[UNDIVIDED]), ("wrong", right[DIVIDED] & ~right[UNDIVIDED])):
        assert figure(text, f"turned {word}") == f"{turned.sum():,}"
        assert f"**Turned {word}** · {turned.sum():,}" in text
        assert f"36 of {turned.sum():,} are shown" in text


def test_raw_pixels_are_one_number(read):
    from bon_core.config import DataConfig
    from bon_core.datasets import load_images

    part = load_images(DataConfig(name="glyphs")).part("test")
    pixels = part.images.reshape(len(part), -1).astype(np.float32)
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    hits = 0
    for start in range(0, len(pixels), 2000):
        alike = pixels[start : start + 2000] @ pixels.T
        alike[np.arange(len(alike)), start + np.arange(len(alike))] = -9
        hits += int((part.labels[alike.argmax(axis=1)] == part.labels[start : start + 2000]).sum())
    truth = hits / len(pixels)
    for run in RUNS:
        assert meta(run)["baseline"]["recall@1"] == pytest.approx(truth, abs=5e-4)
        assert figure(read("start", run), "raw pixels") == percent(meta(run)["baseline"]["recall@1"])
        assert f"{truth:.3f}" in (ROOT / "models" / run / "card.md").read_text(encoding="utf-8")
    for document in ("data/glyphs.md", "docs/results.md", "README.md"):
        assert f"{truth:.3f}" in (ROOT / document).read_text(encoding="utf-8")


@pytest.mark.parametrize("run", RUNS)
def test_no_page_says_that_a_triplet_beyond_the_margin_teaches_nothing(read, run):
    """Both were trained with the margin loss."""
    assert (
        json.loads((ROOT / "models" / run / "config.json").read_text(encoding="utf-8"))["training"]["loss"] == "margin"
    )
    pages = [read(name, run) for name in ("start", "map", "buckets", "clusters", "retrieval", "compare", "timeline")]
    pages += [read("negatives", run, show=show) for show in ("Replay a step", "Mined most", "Drag the margin")]
    scenes = ("margin", "random", "hashing", "divide", "map")
    pages += [
        read("learn", run, **({} if run == UNDIVIDED and s == "divide" else {"press": "reveal"}), scene=s)
        for s in scenes
    ]
    for text in pages:
        for claim in ("dead weight", "teach", "learns nothing", "thrown away", "still costs", "active"):
            assert claim not in text.lower().replace("teach you", "")
