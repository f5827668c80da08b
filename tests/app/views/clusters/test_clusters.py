"""A visit to the K clusters: divided and undivided runs, flows, selecting a cell."""

import json

import numpy as np
import pytest

from app import selection
from app.views.clusters import class_map, ribbons
from tests.app.records import add_clusterings, words


def boards(app) -> str:
    """All that is drawn on boards."""
    return "\n".join(str(element.proto) for element in app.get("bidi_component"))


@pytest.fixture
def divided(tiny_run):
    add_clusterings(tiny_run)
    return tiny_run


def test_a_divided_run_shows_flows_recall_and_health(visit, divided):
    text = words(visit("clusters"))
    assert f"{100 * 2 / 48:.1f} % of the samples changed" in text
    assert "The best slice alone reaches 70.0 %, all of them 80.0 %: together they gain 10.0 points." in text
    assert "Health over clusterings" in text


def test_raw_names_show_what_matching_undid(visit, divided):
    app = visit("clusters")
    app.segmented_control(key="names").set_value("raw").run()
    assert f"{100 * 46 / 48:.1f} % of the samples changed" in words(app)


def test_a_click_on_a_cell_selects_the_class_in_the_cluster(visit, divided, monkeypatch):
    snapshot = divided.snapshot()
    inside = np.asarray(snapshot.labels) == 6
    cluster = int(np.asarray(snapshot.clusters)[inside][0])
    real, asked = class_map.board, []

    def clicked(content, *, key, css=""):
        asked.append(key)
        return f"6:{cluster}" if len(asked) == 1 else real(content, key=key, css=css)

    monkeypatch.setattr(class_map, "board", clicked)
    app = visit("clusters")
    wanted = np.asarray(snapshot.ids)[inside & (np.asarray(snapshot.clusters) == cluster)]
    assert app.session_state[selection.KEY].now.ids.tolist() == sorted(wanted.tolist())


def test_the_phases_of_a_divided_training_are_told(visit, divided):
    html = boards(visit("clusters"))
    assert "Warm-up" in html and "20 steps." in html
    assert "k-means divided the data: 2 times" in html


def test_a_ribbon_selects_who_went_that_way(visit, divided, monkeypatch):
    before, now = divided.clusterings()
    one, other = (int(clustering["aligned"][0]) for clustering in (before, now))
    real, asked = ribbons.board, []

    def clicked(content, *, key, css=""):
        asked.append(key)
        return f"{one}:{other}" if len(asked) == 1 else real(content, key=key, css=css)

    monkeypatch.setattr(ribbons, "board", clicked)
    app = visit("clusters")
    wanted = now["ids"][(before["aligned"] == one) & (now["aligned"] == other)]
    assert app.session_state[selection.KEY].now.ids.tolist() == sorted(wanted.tolist())


def test_the_whole_stands_beside_the_slices(visit, divided):
    html = boards(visit("clusters"))
    assert "all together on all: Recall@1 80.0 %" in html
    assert "learner 1 on cluster 0: Recall@1 40.0 %" in html


@pytest.mark.parametrize("link", ["0", "2", "first"])
def test_a_clustering_that_is_not_there_is_said(visit, divided, link):
    text = words(visit("clusters", clustering=link))
    assert f"The link names the clustering {link}, which is not there" in text
    assert "of the samples changed" in text


def test_an_undivided_run_says_what_to_do(visit, tiny_run):
    path = tiny_run.snapshot_path(40) / "meta.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(
        json.dumps({**meta, "learners": 1, "clusters_origin": "fitted", "division": None}), encoding="utf-8"
    )
    text = words(visit("clusters"))
    assert "This run was trained undivided" in text
    assert "There are no two clusterings to compare." in text
    assert "Which classes a cluster holds" in text
    assert "complement" not in text


def test_a_learner_without_variance_has_gaps_in_the_matrices(visit, tiny_run):
    path = tiny_run.snapshot_path(40) / "meta.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    meta["division"]["matrix"][0][1] = None
    meta["division"]["correlation"] = [[None, None], [None, 1.0]]
    path.write_text(json.dumps(meta), encoding="utf-8")
    assert "what do the learners add to each other?" in words(visit("clusters"))


def test_a_link_holds_what_is_chosen(visit, divided):
    assert visit("clusters", names="raw").segmented_control(key="names").value == "raw"
