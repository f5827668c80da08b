import json

from bon_core.training.events import EventLog


def test_numbers_that_are_not_finite_become_null(tmp_path):
    EventLog(tmp_path).write("step", step=1, loss=float("nan"), sizes=[1.5, float("inf")], name="ü")
    line = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    assert json.loads(line) == {"kind": "step", "step": 1, "loss": None, "sizes": [1.5, None], "name": "ü"}


def test_rewinding_keeps_what_came_before_and_drops_a_torn_line(tmp_path):
    log = EventLog(tmp_path)
    for step in range(5):
        log.write("step", step=step)
    with log.path.open("a") as file:
        file.write('{"kind": "st')
    log.rewind(3)
    log.write("step", step=3)
    assert [json.loads(line)["step"] for line in log.path.read_text().splitlines()] == [0, 1, 2, 3]
