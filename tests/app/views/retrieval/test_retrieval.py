"""A visit to retrieval: queries from the selection, links, failures, uploads that cannot be read."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from app import selection
from tests.app.records import at, words


def query(app) -> int:
    return at(app, "query")


def hardness_of(run) -> dict[int, float]:
    snapshot = run.snapshot()
    return dict(zip(np.asarray(snapshot.ids).tolist(), np.asarray(snapshot.hardness).tolist(), strict=True))


def test_the_hardest_failure_is_asked_first(visit, tiny_run):
    snapshot = tiny_run.snapshot()
    wrong = (np.asarray(snapshot.split) == 1) & ~np.asarray(snapshot.correct)
    rows = np.flatnonzero(wrong)
    worst = rows[np.argmax(np.asarray(snapshot.hardness)[rows])]
    app = visit("retrieval")
    assert query(app) == snapshot.ids[worst]
    assert f"Query: {snapshot.class_names[snapshot.labels[worst]]}" in words(app)


def test_hardest_failure_steps_to_the_next(visit, tiny_run):
    app = visit("retrieval")
    hardness = hardness_of(tiny_run)
    first = query(app)
    app.button(key="query-hardest").click().run()
    assert query(app) != first
    assert hardness[query(app)] <= hardness[first]


def test_the_query_follows_the_selection(visit, tiny_run):
    assert "Query: G" in words(visit("retrieval", sel="class:6"))


def test_what_was_retrieved_can_be_selected(visit, tiny_run):
    app = visit("retrieval")
    app.button(key="found-select").click().run()
    ids = app.session_state[selection.KEY].now.ids
    assert len(ids) == 16
    assert query(app) not in ids


def test_all_metrics_are_named_with_their_protocol(visit, tiny_run):
    app = visit("retrieval")
    table = app.table[0].value
    assert table.loc["test", "Recall@1"] == "0.800"
    assert table.loc["raw pixels", "Recall@1"] == "0.300"
    assert list(table.columns[:7]) == ["Recall@1", "Recall@2", "Recall@4", "Recall@8", "MAP@R", "R-Precision", "NMI"]
    assert "Protocol: all against all." in words(app)


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"kind": "exact", "recall": 1.0}, "searched exactly."),
        ({"kind": "hnsw", "recall": 0.9941}, "finds 99.4 % of the true neighbours"),
        ({"kind": "ivf-pq", "recall": 0.9}, "short codes"),
        ({"kind": "<script>", "recall": "x"}, "Protocol: all against all."),
        ({"kind": [], "recall": {}}, "Protocol: all against all."),
        ([], "Protocol: all against all."),
    ],
)
def test_the_search_behind_the_figures_is_named_with_its_loss(visit, tiny_run, search, said):
    file = tiny_run.snapshot_path(40) / "meta.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"search": search}))
    text = words(visit("retrieval"))
    assert said in text and "<script>" not in text


@pytest.mark.parametrize("link", ["987654321", "a"])
def test_a_query_that_is_gone_is_said(visit, tiny_run, link):
    text = words(visit("retrieval", query=link))
    assert f"The link names the query {link}, which is not there" in text
    assert "Nearest first" in text


def upload(app, name: str, content: bytes):
    return app.file_uploader(key="upload").set_value((name, content, "image/png")).run()


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("L", (20, 20), 90).save(file, "PNG")
    return file.getvalue()


def test_a_file_that_is_no_picture_is_said_and_the_rest_works(visit, tiny_run):
    text = words(upload(visit("retrieval"), "letter.png", b"no picture at all"))
    assert "letter.png is no picture that can be read" in text
    assert "Nearest first" in text


def test_a_picture_for_a_run_without_weights_is_said(visit, tiny_run):
    text = words(upload(visit("retrieval"), "letter.png", picture()))
    assert "has no trained weights" in text
    assert "Nearest first" in text


@pytest.fixture
def asked(tiny_run, monkeypatch):
    """The pictures that reached the network, which answers with the vector of sample 50."""
    from bon_core.runs import weights

    seen = []
    vector = np.asarray(tiny_run.snapshot().embedding().vectors[50])

    def embed(run, image):
        seen.append(np.asarray(image.convert("L")))
        return vector

    monkeypatch.setattr(weights, "embed_image", embed)
    return seen


def test_an_uploaded_picture_is_asked_with(visit, tiny_run, asked):
    app = upload(visit("retrieval"), "letter.png", picture())
    assert "Query: your picture" in words(app)
    assert "weighted by nearness" in words(app)
    assert asked[0].min() == asked[0].max() == 90, "a data set without a plain ground takes the picture as it is"


def test_light_and_dark_are_swapped_for_a_data_set_on_the_opposite_ground(visit, tiny_run, asked, monkeypatch):
    monkeypatch.setattr("app.pictures.ground_of", lambda images: 255)
    app = upload(visit("retrieval"), "letter.png", picture())
    assert "Light and dark were swapped" in words(app)
    assert asked[0][0, 0] == 255 - 90
