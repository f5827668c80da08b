"""Links in a real browser: whatever the address chose stays, on every page, after a reload and after Back."""

import random
import time
from urllib.parse import parse_qs, urlencode, urlparse

import pytest

from tests.app.records import add_audit, add_clusterings
from tests.app.tiny import make_images, make_run

pytestmark = pytest.mark.e2e

BUDGET = 60  # seconds of random links
FEWEST = 3  # links, however slow the machine is
PAGES = {
    "": "Start",
    "map": "Map",
    "buckets": "Hash buckets",
    "negatives": "Mined negatives",
    "clusters": "K clusters",
    "retrieval": "Retrieval",
    "compare": "Compare",
    "timeline": "Timeline",
    "learn": "Learn",
    "train": "Train",
}
SHARED = {
    "run": ("stays", "goes"),
    "epoch": ("epoch 2", "epoch 4"),
    "split": ("train", "test"),
    "colour": ("class", "hash bit", "hardness", "map trust", "right / wrong"),
    "sel": ("cluster:1", "bucket:7", "box:-4,4,-4,4", "class"),  # each selects something in either split and epoch
}
CLASS = {"train": "class:2", "test": "class:6"}  # of a split; one without a sample there is said and dropped
OF_PAGES = {  # parameter -> values
    "at": ("3", "x"),
    "bit": ("2", "99"),
    "method": ("PCA", "UMAP"),
    "bucket": ("5", "-1"),
    "order": ("fullest", "nothing"),
    "show": ("Mined most", "Suspicious labels"),
    "step": ("10", "999"),
    "anchor": ("12",),
    "margin": ("0.5", "nan"),
    "clustering": ("1", "77"),
    "query": ("20",),
    "other": ("goes",),
    "other_epoch": ("epoch 2",),
    "moment": ("20",),
    "scene": ("hashing", "none"),
    "present": ("0",),
    "nobody": ("knows",),
}
SEEN = """() => {
  const menu = (key) => document.querySelector(`.st-key-${key} [data-baseweb=select]`)?.innerText?.trim()
    ?? document.querySelector(`.st-key-${key} input`)?.value;
  const chip = document.querySelector(".st-key-selection-chip")?.innerText ?? "";
  return {run: menu("run"), epoch: menu("epoch"), split: menu("split"), colour: menu("colour"),
    selected: /\\d[\\d,]*( \\+ \\d+)?(?= \\/)/.exec(chip)?.[0]};
}"""


@pytest.fixture(scope="module")
def two_runs(server, tmp_path_factory):
    """The runs stays and goes, of which the latter is shown by default."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("stays", "goes"):
        run = make_run(server.runs, make_images(folder), folder / "tiny.npz", name=name)
        add_audit(run)
        add_clusterings(run)


def settle(page) -> None:
    """Wait until the script has run and what the page shows stays what it is."""
    page.locator(".st-key-run input").wait_for()
    seen = None
    for _ in range(100):
        page.locator("[data-test-script-state=notRunning]").wait_for()
        before, seen = seen, (page.evaluate(SEEN), page.url)
        if seen == before:
            return
        page.wait_for_timeout(200)
    raise AssertionError(f"the page does not come to rest: {seen}")


def shared(page) -> dict[str, str]:
    """The parameters that all pages have in common, as the address names them."""
    return {name: values[0] for name, values in parse_qs(urlparse(page.url).query).items() if name in SHARED}


def go(page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_url(f"**/{next(path for path, label in PAGES.items() if label == name)}?**")
    settle(page)


def test_random_links_stay_what_they_were(browser, server, two_runs, record_property):
    """Every page, every parameter; then three more pages by the top bar, a reload, and Back."""
    draw, end, links = random.Random(8), time.monotonic() + BUDGET, 0
    paths = draw.sample(list(PAGES), len(PAGES))
    while links < FEWEST or time.monotonic() < end:
        link = {"run": "stays"}
        link |= {name: draw.choice(values) for name, values in SHARED.items() if name != "run" and draw.random() < 0.7}
        if link.get("sel") == "class":
            link["sel"] = CLASS[link.get("split", "test")]
        chosen = dict(link)
        link |= {name: draw.choice(values) for name, values in OF_PAGES.items() if draw.random() < 0.4}
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(f"{server.address}/{paths[links % len(paths)]}?{urlencode(link)}")
        settle(page)
        before, address = page.evaluate(SEEN), shared(page)
        words = f"{paths[links % len(paths)]} {link}"
        assert before["run"] == "stays" and set(address) == set(chosen), words
        assert {name: address[name] for name in chosen if name != "sel"} == {
            name: value for name, value in chosen.items() if name != "sel"
        }, words
        assert all(before[name] == value for name, value in chosen.items() if name in ("epoch", "split")), words
        for name in draw.sample([name for path, name in PAGES.items() if path != paths[links % len(paths)]], 3):
            go(page, name)
            assert (page.evaluate(SEEN), shared(page)) == (before, address), f"{words}, then {name}"
        page.reload()
        settle(page)
        assert (page.evaluate(SEEN), shared(page)) == (before, address), f"{words}, then a reload"
        page.go_back()
        settle(page)
        assert (page.evaluate(SEEN), shared(page)) == (before, address), f"{words}, then Back"
        assert not page.get_by_text("could not be drawn").count(), words
        context.close()
        links += 1
    record_property("links", links)


def test_a_run_chosen_by_a_menu_stays_and_back_returns_to_the_one_before(page, server, two_runs):
    page.goto(f"{server.address}/map?run=goes")
    settle(page)
    page.locator(".st-key-run input").click()
    page.get_by_role("option", name="stays").click()
    page.wait_for_url("**run=stays**")
    go(page, "Hash buckets")
    assert page.evaluate(SEEN)["run"] == "stays"
    while "/map" not in page.url:
        page.go_back()
        settle(page)
    assert page.evaluate(SEEN)["run"] == "stays"
    page.go_back()
    page.wait_for_url("**run=goes**")
    settle(page)
    assert page.evaluate(SEEN)["run"] == "goes"
    go(page, "Retrieval")
    assert page.evaluate(SEEN)["run"] == "goes" and shared(page)["run"] == "goes"


def test_no_page_asks_any_host_but_ours(browser, server, two_runs):
    """The tab's icon included, which Playwright does not report: it is listed by the browser itself."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    asked, icons = [], set()
    context.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.add_init_script(
        """window.icons = [];
        new MutationObserver(() => document.querySelectorAll("link[rel~=icon]").forEach((icon) => {
            if (!window.icons.includes(icon.href)) window.icons.push(icon.href);
        })).observe(document, {subtree: true, childList: true, attributes: true});"""
    )
    for path in PAGES:
        page.goto(f"{server.address}/{path}?run=stays")
        settle(page)
        icons |= set(page.evaluate("() => window.icons"))
        icon = page.evaluate("() => document.querySelector('link[rel~=icon]').href")
        assert icon.startswith("data:image/svg+xml"), "the icon is ours"
    hosts = {urlparse(address).netloc for address in [*asked, *icons] if not address.startswith(("data:", "blob:"))}
    assert hosts == {urlparse(server.address).netloc}
    context.close()
