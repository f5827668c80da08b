import json

from bon_core.runs.events import EventLog


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


def test_a_resumed_run_keeps_what_its_checkpoint_has_behind_it(tmp_path):
    """At a checkpoint's step the evaluation is done, the step itself is not; what is torn is no event."""
    log = EventLog(tmp_path)
    for kind, step in (("message", 0), ("step", 0), ("step", 10), ("evaluation", 13), ("clustering", 13), ("step", 13)):
        log.write(kind, step=step)
    with log.path.open("a") as file:
        file.write('{"kind": "step", "st')
    log.write("step", step=14)
    log.rewind(13)
    kept = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [(event["kind"], event["step"]) for event in kept] == [
        ("message", 0),
        ("step", 0),
        ("step", 10),
        ("evaluation", 13),
    ]
    log.rewind(0)
    assert json.loads(log.path.read_text())["kind"] == "message"
