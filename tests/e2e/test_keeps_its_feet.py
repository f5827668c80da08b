"""The explorer keeps its feet: two visitors, reloads, killed trainings, deleted runs, haste, evil names, long stays."""

import dataclasses
import os
import random
import shutil
import signal
import urllib.error
import urllib.request

import numpy as np
import psutil
import pytest

from bon_core.runs.run import Run
from tests.app.records import add_audit, add_clusterings
from tests.app.tiny import make_images, make_run

pytestmark = pytest.mark.e2e

TIMEOUT_MS = 180_000  # ms
STRESS = "BON_STRESS" in os.environ
CHANGES = 500 if STRESS else 16  # of the page
SETTLED = 100 if STRESS else 8  # changes after which memory should grow no more
GROWTH = 48 << 20  # bytes
PAGES = ["Map", "Hash buckets", "Mined negatives", "K clusters", "Retrieval", "Compare", "Timeline", "Start"]
EVIL = [
    "<img src=x onerror=window.entered=1>",
    "<script>window.entered=1</script>",
    "![x](http://elsewhere.invalid/x.png)",
    "[click](javascript:window.entered=1)",
    '"><svg onload=window.entered=1>',
    "' onmouseover='window.entered=1",
    "</style><b>bold",
    "{{7*7}} ${7*7} :red[x] $x^2$",
]


@pytest.fixture(autouse=True)
def nothing_in_the_log(server):
    """No view failed, whatever the visitor saw."""
    before = server.log.stat().st_size
    yield
    told = server.log.read_bytes()[before:].decode("utf-8", "replace")
    assert "Traceback" not in told, told[-4000:]


@pytest.fixture
def no_orphans(server):
    """No training outlives its test."""
    yield
    for run in (Run(path.parent) for path in server.runs.glob("*/config.json")):
        if run.status().active:
            os.kill(run.status().process, signal.SIGKILL)


@pytest.fixture(scope="module")
def recorded(server, tmp_path_factory):
    """The run `steady`, with an audit log and clusterings."""
    folder = tmp_path_factory.mktemp("data")
    run = make_run(server.runs, make_images(folder), folder / "tiny.npz", name="steady")
    add_audit(run)
    add_clusterings(run)
    return run


def zombies(server) -> list[psutil.Process]:
    children = psutil.Process(server.process).children(recursive=True)
    return [child for child in children if child.status() == psutil.STATUS_ZOMBIE]


def test_a_training_is_followed_by_two_reloaded_killed_resumed_and_deleted(page, browser, server, tmp_path, no_orphans):
    make_images(tmp_path)
    page.goto(f"{server.address}/train")
    page.get_by_role("combobox", name="Data").click()
    page.get_by_role("option", name="a path …").click()
    page.get_by_label("Folder, zip or npz").fill(str(tmp_path / "tiny.npz"))
    page.get_by_label("Folder, zip or npz").press("Enter")
    page.get_by_label("Name of the run").fill("doomed")
    page.get_by_label("Name of the run").press("Enter")
    page.get_by_text("More settings").click()
    page.get_by_role("spinbutton", name="Epochs, not minutes").fill("90000")
    page.get_by_role("spinbutton", name="Epochs, not minutes").press("Enter")
    page.get_by_text("--epochs 9e+04").first.wait_for(state="attached")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("doomed · training").wait_for(timeout=TIMEOUT_MS)

    visitor = browser.new_context()
    other = visitor.new_page()
    other.goto(f"{server.address}/train")
    other.get_by_text("doomed · training").wait_for(timeout=TIMEOUT_MS)
    page.reload()
    page.get_by_text("doomed · training").wait_for(timeout=TIMEOUT_MS)

    run = Run(server.runs / "doomed")
    os.kill(run.status().process, signal.SIGKILL)
    for visited in (page, other):  # neither has to be reloaded
        visited.get_by_text("doomed · interrupted").wait_for(timeout=TIMEOUT_MS)
    assert zombies(server) == []

    page.get_by_role("button", name="Resume").click()
    page.get_by_text("doomed · training").wait_for(timeout=TIMEOUT_MS)
    other.reload()
    other.get_by_text("doomed · training").wait_for(timeout=TIMEOUT_MS)
    os.kill(run.status().process, signal.SIGKILL)
    for visited in (page, other):
        visited.get_by_text("doomed · interrupted").wait_for(timeout=TIMEOUT_MS)
    shutil.rmtree(run.path)
    for visited in (page, other):
        visited.reload()
        visited.get_by_role("button", name="Start training").wait_for()
        assert not visited.get_by_text("doomed · ").count()
    visitor.close()
    assert zombies(server) == []


def test_a_run_deleted_while_it_is_shown(page, server, tmp_path):
    run = make_run(server.runs, make_images(tmp_path), tmp_path / "tiny.npz", name="fleeting")
    page.goto(f"{server.address}/buckets?run=fleeting&bucket=5")
    page.get_by_role("heading", name="Bucket 0x5").first.wait_for()
    shutil.rmtree(run.path)
    page.get_by_role("button", name="flip bit 3").click()
    page.wait_for_function("() => !document.body.innerText.includes('fleeting')")
    page.get_by_role("heading", name="Hash buckets").first.wait_for()
    assert not page.get_by_text("could not be drawn").count()


def test_twenty_reruns_a_second(page, server, recorded):
    """Sixty clicks in three seconds; in the end the page shows what its address says."""
    page.goto(f"{server.address}/buckets?run=steady&bucket=5")
    page.get_by_role("heading", name="Bucket 0x5").first.wait_for()
    page.evaluate(
        """async () => {
            for (let click = 0; click < 60; click++) {
                const bits = document.querySelectorAll(".bits button");
                if (bits.length) bits[click % bits.length].click();
                await new Promise(done => setTimeout(done, 50));
            }
        }"""
    )
    page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget]')")
    page.wait_for_timeout(1500)
    bucket = int(page.url.split("bucket=")[1].split("&")[0])
    assert page.get_by_role("heading", name=f"Bucket {bucket:#x}").count()
    assert not page.get_by_text("could not be drawn").count()


def test_names_are_shown_and_never_run(page, server, tmp_path_factory):
    """Class names and fields of a stranger's run, on every page: as text, without a script run or an address asked."""
    folder = tmp_path_factory.mktemp("evil")
    images = make_images(folder)
    fields = {"<b onclick=window.entered=1>face": np.array(EVIL)[np.arange(len(images)) % len(EVIL)]}
    images = dataclasses.replace(images, class_names=tuple(EVIL), fields=fields)
    images.save(folder / "tiny.npz")
    run = make_run(server.runs, images, folder / "tiny.npz", name="stranger")
    add_audit(run)
    add_clusterings(run)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for name in ("", "map", "buckets", "negatives", "clusters", "retrieval", "compare", "timeline", "learn"):
        page.goto(f"{server.address}/{name}?run=stranger")
        page.locator("h1, h2").first.wait_for()
        page.wait_for_timeout(600)
        for place in page.locator("canvas, .face, button[title], [data-testid=stTooltipHoverTarget]").all()[:3]:
            if place.is_visible():
                place.hover(force=True, timeout=2000, trial=False, no_wait_after=True)
        assert page.evaluate("() => window.entered === undefined"), f"{name}: a name was run as a script"
    assert [address for address in asked if "elsewhere" in address] == []
    shutil.rmtree(run.path)


def test_other_hosts_and_unknown_runs_get_nothing(server, recorded):
    """Another site that names this machine (DNS rebinding) is refused; routes know listed runs and their ids alone."""

    def answer(path: str, host: str = "localhost") -> int | str:
        """The status of a refusal, else what kind of thing is sent."""
        request = urllib.request.Request(server.address + path, headers={"Host": host})
        try:
            return urllib.request.urlopen(request, timeout=30).headers.get_content_type()
        except urllib.error.HTTPError as error:
            return error.code

    identity = int(recorded.snapshot().ids[0])
    good = f"/thumb/steady/light/{identity}.png"
    assert [answer(good, host) for host in ("localhost", "127.0.0.1:80")] == ["image/png"] * 2
    assert answer(good, "evil.example") == 400
    assert answer("/", "evil.example") == 400
    for path in (
        "/thumb/steady/light/999999999999.png",
        "/thumb/steady/light/-1.png",
        "/thumb/nobody/light/1.png",
        "/thumb/..%2f..%2fetc/light/1.png",
        "/thumb/.uploads/light/1.png",
        f"/thumb/steady/light/{'9' * 5000}.png",
        "/webgl-map/0/..%2f..%2fmain.py",
        "/webgl-map/data/../../config.json",
    ):
        assert answer(path) in (400, 404, "text/html"), path  # the page itself, where no route knows the address


def test_memory_stays_flat_over_many_pages(page, server, recorded, record_property):
    draw = random.Random(0)
    process = psutil.Process(server.process)
    page.goto(f"{server.address}/?run=steady")
    sizes, last = [], "Start"
    for _ in range(CHANGES):
        last = draw.choice([name for name in PAGES if name != last])
        page.get_by_role("link", name=last, exact=True).first.click()
        page.get_by_role("heading", name=last if last != "Start" else "Bag of Negatives").first.wait_for()
        page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget]')")
        sizes.append(process.memory_info().rss)
    grown = max(sizes[-SETTLED // 2 :]) - max(sizes[:SETTLED])
    record_property("page changes", CHANGES)
    record_property("MiB at the end", sizes[-1] >> 20)
    record_property(f"MiB more than in the first {SETTLED} changes", grown >> 20)
    assert grown < GROWTH, [size >> 20 for size in sizes[:: max(CHANGES // 20, 1)]]
    assert not page.get_by_text("could not be drawn").count()
