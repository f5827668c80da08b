"""A visit to Compare: two runs, two checkpoints, links to what is gone, sets that share little or nothing."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from app import selection
from app.widgets.map.webgl_map import EVENT, MISSING, MapEvent
from bon_core.runs import snapshot
from bon_core.runs.run import Run
from tests.app.records import at, words
from tests.app.tiny import make_images, make_run, snapshot_arrays, snapshot_meta


@pytest.fixture
def other_run(tiny_run, tmp_path) -> Run:
    """The run `other` on the same data, with other vectors."""
    images = make_images(tmp_path)
    run = make_run(tiny_run.path.parent, images, tmp_path / "tiny.npz", name="other", steps=(40,))
    path = run.snapshot_path(40)
    meta = snapshot_meta(images, 40)
    meta["metrics"]["test"] = {**meta["metrics"]["test"], "recall@1": 0.9}
    snapshot.write(path, snapshot_arrays(images, 7), images.fields, meta)
    return run


def chosen(app) -> tuple[str, str]:
    return app.selectbox(key="other").value, app.selectbox(key="other_epoch").value


def address(app, name: str) -> str:
    value = app.query_params[name]
    return value[0] if isinstance(value, list) else value


def headline(app) -> str:
    """All boards, as the browser gets them."""
    return "\n".join(element.proto.json for element in app.get("bidi_component"))


def test_two_runs_are_told_apart_and_the_gain_is_in_points(visit, other_run):
    app = visit("compare", run="tiny", other="other")
    assert chosen(app) == ("other", "epoch 4")
    text = headline(app)
    assert "80.0 %" in text and "90.0 %" in text and "+10.0" in text


def test_another_run_on_the_same_data_is_offered_before_the_own_checkpoints(visit, other_run):
    assert chosen(visit("compare", run="tiny")) == ("other", "epoch 4")
    assert chosen(visit("compare", run="other")) == ("tiny", "epoch 4")


def test_the_link_names_the_other_even_where_it_is_the_default(visit, other_run):
    app = visit("compare", run="tiny")
    assert (address(app, "other"), address(app, "other_epoch")) == ("other", "epoch 4")


def test_the_other_is_still_chosen_after_a_visit_elsewhere(visit, other_run):
    app = visit("compare", run="tiny")
    app.selectbox(key="other").set_value("tiny").run()
    app.switch_page("views/map/map.py").run()
    app.switch_page("views/compare/compare.py").run()
    assert chosen(app) == ("tiny", "epoch 2")


def test_two_checkpoints_of_one_run(visit, tiny_run):
    app = visit("compare", run="tiny", epoch="epoch 4")
    assert chosen(app) == ("tiny", "epoch 2")
    assert app.selectbox(key="other_epoch").options == ["epoch 2"]


def test_what_turned_is_what_the_snapshots_say(visit, other_run, tiny_run):
    before, after = tiny_run.snapshot(), other_run.snapshot()
    rows = np.flatnonzero(np.asarray(before.split) == 1)
    righted = ~np.asarray(before.correct)[rows] & np.asarray(after.correct)[rows]
    app = visit("compare", run="tiny", other="other")
    assert f"**Turned right** · {righted.sum()} ·" in words(app)
    app.button(key="turned-True-select").click().run()
    expected = np.sort(np.asarray(before.ids)[rows][righted])
    assert app.session_state[selection.KEY].now.ids.tolist() == expected.tolist()


def test_swapping_swaps(visit, other_run):
    app = visit("compare", run="tiny", other="other", epoch="epoch 2")
    app.button(key="swap").click().run()
    assert (app.selectbox(key="run").value, app.selectbox(key="epoch").value) == ("other", "epoch 4")
    assert chosen(app) == ("tiny", "epoch 2")


def test_a_link_to_a_run_that_is_gone_says_so_and_the_rest_works(visit, other_run):
    app = visit("compare", run="tiny", other="gone", other_epoch="epoch 9")
    text = words(app)
    assert "not here: the other run gone, the other checkpoint epoch 9. Shown instead: other, epoch 4." in text
    assert chosen(app) == ("other", "epoch 4")
    assert "Who has other neighbours now" in text
    app.run()
    assert "not here: the other run" in words(app)  # until something else is chosen
    app.selectbox(key="other").set_value("tiny").run()
    assert "not here: the other run" not in words(app)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"data": "tiny"}'])
def test_a_run_whose_files_are_damaged_is_not_offered_and_the_rest_works(visit, other_run, content):
    (other_run.snapshot_path(40) / "meta.json").write_bytes(content)
    app = visit("compare", run="tiny")
    assert chosen(app) == ("tiny", "epoch 2") and app.selectbox(key="other").options == ["tiny"]
    assert "Who has other neighbours now" in words(app)


def test_another_snapshot_that_is_cut_short_is_said_in_a_sentence(visit, other_run):
    (other_run.snapshot_path(40) / "neighbours.npy").write_bytes(b"\x93NUMPY torn")
    app = visit("compare", run="tiny", other="other")
    assert "neighbours.npy" in words(app) and "could not be drawn" not in words(app)
    app.selectbox(key="other").set_value("tiny").run()
    assert "Who has other neighbours now" in words(app)


def test_the_sample_of_a_link_is_opened(visit, other_run, tiny_run):
    rows = np.flatnonzero(np.asarray(tiny_run.snapshot().split) == 1)
    identity = int(tiny_run.snapshot().ids[rows[5]])
    app = visit("compare", run="tiny", other="other", sample=str(identity))
    assert at(app, "sample") == identity
    assert "is not there" in words(visit("compare", run="tiny", other="other", sample="99999999"))


def test_a_lone_snapshot_says_what_to_do(visit, empty_runs, tmp_path):
    make_run(empty_runs, make_images(tmp_path), tmp_path / "tiny.npz", steps=(40,))
    assert "There is nothing to compare with yet" in words(visit("compare"))


def cut(run: Run, keep: np.ndarray, **meta) -> None:
    """Leave only the samples `keep` in the run's newest snapshot."""
    shot = run.snapshot()
    arrays = {name: np.asarray(getattr(shot, name)) for name in snapshot.ARRAYS}
    place = np.full(len(shot), -1)
    place[keep] = np.arange(len(keep))
    whole = len(shot)
    arrays = {name: values[keep] if len(values) == whole else values for name, values in arrays.items()}
    near = place[arrays["neighbours"]]
    order = np.argsort(near < 0, axis=1, kind="stable")[:, :3]
    arrays["neighbours"] = np.maximum(np.take_along_axis(near, order, axis=1), 0)
    arrays["neighbour_distances"] = arrays["neighbour_distances"][:, :3]
    snapshot.write(run.snapshot_path(shot.step), arrays, {}, {**shot.meta, "fields": [], **meta, "samples": len(keep)})


def test_only_what_is_in_common_is_compared(visit, other_run):
    rows = np.flatnonzero(np.asarray(other_run.snapshot().split) == 1)
    cut(other_run, rows[:30])
    app = visit("compare", run="tiny", other="other")
    text = words(app)
    assert "30 samples, matched by id and class, are in common, of 48 and 30" in text
    assert "Recall@1 in common" in headline(app) and "+10.0" not in headline(app)
    assert "Where things lie" in text


def test_nothing_in_common_is_said_and_the_figures_stay(visit, other_run):
    path = other_run.snapshot_path(40)
    np.save(path / "ids.npy", np.asarray(other_run.snapshot().ids) + 10**6)
    meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
    (path / "meta.json").write_text(json.dumps({**meta, "data": "birds"}), encoding="utf-8")
    app = visit("compare", run="tiny", other="other")
    text = words(app)
    assert "tiny knows tiny, other knows birds. They have no sample in common" in text
    assert "90.0 %" in headline(app) and "Where things lie" not in text


def test_another_split_is_said(visit, other_run):
    path = other_run.snapshot_path(40)
    split = np.asarray(other_run.snapshot().split)
    np.save(path / "split.npy", np.where(split == 1, 2, split).astype(np.uint8))
    text = words(visit("compare", run="tiny", other="other"))
    assert "other has no test split; its validation split is taken; the samples are the same." in text


def test_settings_that_differ_are_listed(visit, other_run):
    config = other_run.config
    changed = replace(config, mining=replace(config.mining, miner="uniform"))
    (other_run.path / "config.json").write_text(changed.to_json(), encoding="utf-8")
    app = visit("compare", run="tiny", other="other")
    assert "Settings that differ" in words(app) and "uniform" in headline(app)
    assert "Nothing else differs." in words(app)


def test_a_gain_is_not_put_down_to_one_of_two_settings(visit, other_run):
    config = other_run.config
    division = replace(config.division, learners=config.division.learners + 1)
    changed = replace(config, mining=replace(config.mining, miner="uniform"), division=division)
    (other_run.path / "config.json").write_text(changed.to_json(), encoding="utf-8")
    text = words(visit("compare", run="tiny", other="other"))
    assert "2 settings differ, so what was gained or lost cannot be put down to one of them." in text


def test_what_turned_is_weighed_against_chance(visit, other_run):
    text = words(visit("compare", run="tiny", other="other"))
    assert re.search(r"\d+ quer(y|ies) got right, \d+ got wrong: (more than|could be) chance, p [=<] [\d.]+\.", text)
    assert "whole classes" in text and "the true p" not in text
    assert re.search(r'title="If queries were independent: p [=<] [\d.]+ \(McNemar', text.replace("&#x27;", "'"))


@pytest.mark.parametrize("shade", ["neighbours shared", "what changed"])
def test_every_colour_draws(visit, other_run, shade):
    app = visit("compare", run="tiny", other="other")
    app.segmented_control(key="shade").set_value(shade).run()
    assert not app.exception


def test_what_changed_is_counted_where_nothing_did(visit, tiny_run, tmp_path):
    """A legend of what there is, also of a selection."""
    make_run(tiny_run.path.parent, make_images(tmp_path), tmp_path / "tiny.npz", name="twin", steps=(40,))
    app = visit("compare", run="tiny", other="twin", sel="class:6")
    app.segmented_control(key="shade").set_value("what changed").run()
    assert not app.exception
    right = np.asarray(tiny_run.snapshot().correct)[np.asarray(tiny_run.snapshot().split) == 1]
    counts = re.findall(r">(right in both|turned \w+|wrong in both|no query)<b>\d+ / (\d+)<", words(app))
    assert counts == [("right in both", str(right.sum())), ("wrong in both", str((~right).sum()))]


def test_an_area_and_a_click_on_the_maps_are_taken(visit, other_run, tiny_run):
    ids = np.sort(np.asarray(tiny_run.snapshot().ids)[np.asarray(tiny_run.snapshot().split) == 1])
    app = visit("compare", run="tiny", other="other")
    app.session_state["twin" + EVENT] = MapEvent("area", ids[:6], view=1)
    app.run()
    assert app.session_state[selection.KEY].now.ids.tolist() == ids[:6].tolist()
    assert "Below: among the 6 selected" in words(app)
    app.session_state["twin" + EVENT] = MapEvent("pick", ids[9:10])
    app.run()
    assert at(app, "sample") == ids[9]


@pytest.mark.parametrize("side", [0, 1])
def test_without_webgl_a_box_on_either_plain_map_selects(visit, other_run, tiny_run, side):
    app = visit("compare", run="tiny", other="other")
    app.session_state[MISSING] = "no context"
    app.run()
    assert "This browser offers no WebGL 2" in words(app)
    box = {"x": [-1e3, 1e3], "y": [-1e3, 1e3]}
    app.session_state[f"twin-plain-{side}"] = {"selection": {"box": box, "pick": [], "zoom": {}}}
    app.run()
    assert len(app.session_state[selection.KEY].now.ids) == 48
