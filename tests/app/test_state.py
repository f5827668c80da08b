"""Run, checkpoint, split and colour in the address, and the View they make."""

import numpy as np
import pytest

from app import browsing, state
from tests.app.tiny import make_images, make_run


def test_the_view_shows_one_split(view):
    assert (np.asarray(view.snapshot.split)[view.rows] == 1).all()
    assert len(view.rows) == 48
    assert view.ids.tolist() == np.asarray(view.snapshot.ids)[view.rows].tolist()


def test_among_leaves_out_ids_of_other_splits_and_unknown_ones(view):
    training = np.asarray(view.snapshot.ids)[np.asarray(view.snapshot.split) == 0]
    wanted = np.concatenate([view.ids[[5, 2]], training[:3], [10**12]])
    assert view.among(wanted).tolist() == view.rows[[2, 5]].tolist()


@pytest.mark.parametrize(("rule", "column"), [("class:5", "labels"), ("bucket:9", "codes"), ("cluster:1", "clusters")])
def test_rules_name_samples_of_the_split(view, rule, column):
    value = int(rule.split(":")[1])
    expected = [int(view.snapshot.ids[row]) for row in view.rows if getattr(view.snapshot, column)[row] == value]
    assert view.ids_of(rule).tolist() == expected


@pytest.mark.parametrize("text", ["", "class:", "class:x", "class:-1", "nothing:3", "box:1,2,3", "box:a,b,c,d", "::"])
def test_what_is_no_rule_names_nothing(view, text):
    assert len(view.ids_of(text)) == 0


def test_a_box_rule_gives_back_what_was_boxed(view):
    xy = np.asarray(view.snapshot.xy)[view.rows]
    boxed = view.ids[(xy[:, 0] > -1) & (xy[:, 1] < 2)]
    assert sorted(view.ids_of(view.box_rule(boxed))) == sorted(boxed)


def test_the_address_chooses_checkpoint_split_and_colour(visit, tiny_run):
    app = visit("map", epoch="epoch 2", split="train", colour="class")
    assert [app.selectbox(key=key).value for key in ("run", "epoch", "split", "colour")] == [
        "tiny",
        "epoch 2",
        "train",
        "class",
    ]


def test_without_an_address_the_newest_checkpoint_of_the_held_out_classes_is_shown(visit, tiny_run):
    app = visit("map")
    assert (app.selectbox(key="epoch").value, app.selectbox(key="split").value) == ("epoch 4", "test")


def test_a_link_to_a_run_that_is_gone_says_so_and_shows_another(visit, tiny_run):
    app = visit("map", run="gone")
    assert app.selectbox(key="run").value == "tiny"
    assert any("gone" in element.proto.body for element in app.get("html"))


def test_a_link_to_a_checkpoint_and_split_that_are_gone_says_so_until_another_is_chosen(visit, tiny_run):
    app = visit("map", run="tiny", epoch="epoch 12", split="validation")

    def said() -> bool:
        return any(
            "not here: the checkpoint epoch 12, the split validation. Shown instead: epoch 4, test."
            in element.proto.body
            for element in app.get("html")
        )

    assert said()
    app.run()
    assert said()
    app.selectbox(key="epoch").set_value("epoch 2").run()
    assert not said()


def test_another_run_without_the_checkpoint_is_no_broken_link(visit, tiny_run, tmp_path):
    make_run(tiny_run.path.parent, make_images(tmp_path), tmp_path / "tiny.npz", name="short", steps=(20,))
    app = visit("map", run="tiny", epoch="epoch 4")
    app.selectbox(key="run").set_value("short").run()
    assert app.selectbox(key="epoch").value == "epoch 2"
    assert not any("The link names" in element.proto.body for element in app.get("html"))


def test_the_selection_of_a_link_is_taken_over(visit, tiny_run):
    app = visit("map", sel="class:6")
    expected = [int(identity) for identity, label in zip(*_columns(tiny_run), strict=True) if label == 6]
    assert app.session_state["selection"].now.ids.tolist() == sorted(expected)


def _columns(run):
    return run.snapshot().ids, run.snapshot().labels


def test_a_sample_has_its_row_in_its_own_split_only(view):
    assert [view.row_of(int(identity)) for identity in view.ids] == list(range(len(view.rows)))
    others = np.setdiff1d(np.asarray(view.snapshot.ids), view.ids)
    assert {view.row_of(int(identity)) for identity in [*others, -1, 10**12]} == {None}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b'{"data": "tiny"}', b'{"epoch": "two"}'])
def test_a_snapshot_whose_meta_is_damaged_is_no_checkpoint(tiny_run, content):
    assert state.epochs(tiny_run) == {"epoch 2": 20, "epoch 4": 40}
    assert state.meta(tiny_run, 40) == {"epoch": 4.0, "data": "tiny"}
    (tiny_run.snapshot_path(40) / "meta.json").write_bytes(content)
    assert state.epochs(tiny_run) == {"epoch 2": 20}


def test_back_takes_the_selection_of_the_address_and_it_can_be_undone(visit, tiny_run, monkeypatch):
    def walk(**query: str) -> list[int]:
        app.query_params.pop("sel", None)
        for name, value in query.items():
            app.query_params[name] = value
        monkeypatch.setattr(browsing, "walked", lambda: True)
        app.run()
        monkeypatch.setattr(browsing, "walked", lambda: False)
        return app.session_state["selection"].now.ids.tolist()

    app = visit("buckets", sel="class:6")
    six = app.session_state["selection"].now.ids.tolist()
    assert walk() == []
    seven = walk(sel="class:7")
    assert len(seven) == 12 and not set(seven) & set(six)
    app.button(key="selection-undo").click().run()
    app.button(key="selection-undo").click().run()
    assert app.session_state["selection"].now.ids.tolist() == six
