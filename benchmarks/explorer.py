"""How fast the explorer is: its map from 2,000 to 1,000,000 points, also bare against other tools; its page changes.

    python -m benchmarks.explorer             (needs the test requirements and Chromium; plotly and embedding-atlas are
                                               measured too where they are installed, and named where they are not)
    python -m benchmarks.explorer --parts map         (one part alone; those of earlier runs stay in the report)

Writes benchmarks/results/explorer.md. Wall seconds in headless Chromium with software rendering, median of the runs;
"last draw" is the last frame that changed on the screen, taken from the browser's screencast.
"""

import argparse
import math
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.browser import LIMIT, SETTLED, chromium, server, visitor
from benchmarks.report import RESULTS, machine, write_report
from tests.app.large import make_large_run

SIZES = (2_000, 50_000, 200_000, 1_000_000)
IMAGES_UP_TO = 200_000  # a larger run has no pictures: they would be the memory, not the map
TOOLS = {  # name in the address: words, package, what it draws on, what shows under the mouse
    "ours": ("own WebGL 2 map", "", ".map[data-drawn]", ".card"),
    "altair": ("Altair, canvas", "altair", "canvas.marks", "#vg-tooltip-element.visible"),
    "plotly": ("Plotly, scattergl", "plotly", ".js-plotly-plot .gl-canvas", ".hoverlayer .hovertext"),
    "atlas": ("Embedding Atlas", "embedding-atlas", "iframe canvas", ""),
}
QUIET = 1.5  # seconds without a changed frame: it was the last
IDLE = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
PAGES = (
    "Map",
    "Hash buckets",
    "Mined negatives",
    "K clusters",
    "Retrieval",
    "Compare",
    "Timeline",
    "Learn",
    "Train",
    "Start",
)
HEADINGS = {"Start": "Bag of Negatives, divide and conquer"}  # of the others their title
MAPS = ("Map", "Compare", "Start")  # pages with a map that has to be drawn
SCENES = 5
BUNDLED = "glyphs-bon-dc4"
PAGE_BAR = 0.5
PAGE_POINTS = 20_000
BARS = {  # (what, points): at most so many seconds
    ("click to drawn", 200_000): 0.7,
    ("click to drawn", 1_000_000): 2.0,
    ("lasso to updated page", 200_000): 0.3,
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options.add_argument("--tools", nargs="+", default=list(TOOLS), choices=list(TOOLS))
    options.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    options.add_argument("--try", dest="tried", action="store_true", help="print the tables, write no report")
    asked = options.parse_args()
    sections = _sections()
    for part in asked.parts:
        lines = [*PARTS[part](asked), "", f"{asked.runs} runs. {machine()}"]
        if asked.tried:
            print("\n".join(lines))
            continue
        sections[part] = lines
        written = [
            line for name in PARTS if name in sections for line in (f"## {TITLES[name]}", "", *sections[name], "")
        ]
        write_report("explorer", "How fast the explorer is", written[:-1])


def _sections() -> dict[str, list[str]]:
    """The parts that the report holds already."""
    path = RESULTS / "explorer.md"
    found = (path.read_text(encoding="utf-8") if path.exists() else "").split("\n## ")[1:]
    names = {title: name for name, title in TITLES.items()}
    sections = {title: text.strip().splitlines() for title, _, text in (part.partition("\n") for part in found)}
    return {names[title]: lines for title, lines in sections.items() if title in names}


# ---- the app's own page


def _app_table(asked: argparse.Namespace) -> list[str]:
    lines = [
        "The Map page of the app, reached by a click from another page. Fetched: everything since that click.",
        "",
        "| points | click to drawn, first visit s | again s | hover s | lasso to updated page s | fetched MB"
        " | sent by a lasso B | fetched by a lasso kB | by another colour kB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for size in asked.sizes:
            images = Path(folder) / f"{size}.npz" if size <= IMAGES_UP_TO else None
            make_large_run(Path(folder), size, name=f"n{size}", images=images)
        with server("app/main.py", BON_RUNS=folder) as address, chromium() as browser:
            for size in asked.sizes:
                _visit(browser, address, size)  # the first visitor of all waits for what the server keeps
                taken = [_visit(browser, address, size) for _ in range(asked.runs)]
                lines.append(_app_row(size, _medians(taken)))
                print(lines[-1], flush=True)
    return lines


def _medians(taken: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    """Of each figure, of those runs that have it; not a number if none has."""
    known = {name: [value for one in taken if (value := one[name]) is not None] for name in taken[0]}
    return {name: statistics.median(values) if values else math.nan for name, values in known.items()}


def _app_row(size: int, median: dict[str, float]) -> str:
    def seconds(name: str, bar: str = "") -> str:
        limit = BARS.get((bar or name, size))
        return f"{median[name]:.2f}" + (f" (bar {limit})" if limit else "")

    cells = (
        seconds("first"),
        seconds("again", "click to drawn"),
        f"{median['hover']:.3f}",
        seconds("lasso to updated page"),
        f"{median['fetched'] / 1e6:.2f}",
        f"{median['sent']:,.0f}",
        f"{median['answer'] / 1e3:.1f}",
        f"{median['colour'] / 1e3:.1f}",
    )
    return f"| {size:,} | {' | '.join(cells)} |"


def _visit(browser, address: str, size: int) -> dict[str, float | None]:
    """One visitor: to the map, away and back, a look, a lasso, another colour."""
    page = visitor(browser)
    traffic = Traffic(page)
    page.goto(f"{address}/retrieval")
    page.get_by_role("combobox", name="Run").click()
    page.get_by_role("option", name=f"n{size}", exact=True).click()
    page.locator(".st-key-selection-chip").get_by_text(f"/ {size:,}").first.wait_for()
    taken: dict[str, float | None] = {}
    for name in ("first", "again"):
        page.get_by_role("heading", name="Retrieval").wait_for()
        page.wait_for_function(SETTLED)
        page.wait_for_timeout(1500)
        traffic.received = 0
        began = time.perf_counter()
        page.get_by_role("link", name="Map", exact=True).first.click()
        page.locator(".map[data-drawn]").wait_for()
        taken[name] = time.perf_counter() - began
        page.locator(".map[data-named]").wait_for()
        page.wait_for_function(SETTLED)
        page.wait_for_timeout(1500)
        if name == "first":
            taken["fetched"] = traffic.received
            page.get_by_role("link", name="Retrieval", exact=True).first.click()
    page.locator(".st-key-selection-chip").get_by_text(f"/ {size:,}").first.wait_for()
    taken["hover"] = _hover(page, ".map", ".card")
    chip = page.locator(".st-key-selection-chip")
    before, traffic.received, traffic.sent = chip.inner_text(), 0, 0
    _lasso(page, page.locator(".map").bounding_box())
    began = time.perf_counter()
    page.mouse.up()
    page.wait_for_function("(b) => document.querySelector('.st-key-selection-chip').innerText !== b", arg=before)
    page.wait_for_function(SETTLED)
    taken["lasso to updated page"] = time.perf_counter() - began
    page.wait_for_timeout(1000)
    taken["sent"], taken["answer"], traffic.received = traffic.sent, traffic.received, 0
    page.get_by_role("combobox", name="Colouring").click()
    page.get_by_role("option", name="map trust").click()
    page.wait_for_timeout(2000)
    taken["colour"] = traffic.received
    page.context.close()
    return taken


# ---- from page to page


def _page_table(asked: argparse.Namespace) -> list[str]:
    """Every page, and every scene of Learn, on the bundled model and on a synthetic run of PAGE_POINTS."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("pages", "pages-again"):  # one to be compared with the other
            make_large_run(Path(folder), PAGE_POINTS, name=name, images=Path(folder) / f"{name}.npz")
        with server("app/main.py", BON_RUNS=folder) as address, chromium() as browser:
            columns = {}
            for run in (BUNDLED, "pages"):
                taken = [_tour(browser, address, run) for _ in range(asked.runs)]
                columns[run] = {visit: _medians([tour[visit] for tour in taken]) for visit in ("first", "again")}
    bundled, synthetic = columns.values()
    return [
        "From page to page, and from scene to scene: from the click until the script is done and a map, if the page has"
        f" one, is drawn. Bar: {PAGE_BAR} s. The bundled model has 15,145 points on the map and 30,465 in all; the"
        f" synthetic run {PAGE_POINTS:,}.",
        "",
        "| to | bundled, first visit s | again s | synthetic, first visit s | again s |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | "
            + " | ".join(
                f"{column[visit][name]:.2f}" for column in (bundled, synthetic) for visit in ("first", "again")
            )
            + " |"
            for name in bundled["again"]
        ),
    ]


def _tour(browser, address: str, run: str) -> dict[str, dict[str, float]]:
    """One visitor: through all pages and scenes twice."""
    page = visitor(browser)
    page.goto(f"{address}/train")
    page.get_by_role("combobox", name="Run").click()
    page.get_by_role("option", name=run, exact=True).click()
    page.wait_for_timeout(1500)
    taken: dict[str, dict[str, float]] = {}
    for visit in ("first", "again"):
        times = taken.setdefault(visit, {})
        for title in PAGES:
            link = page.get_by_role("link", name=title, exact=True).first
            heading = page.get_by_role("heading", name=HEADINGS.get(title, title), exact=True)
            times[title] = _seconds(page, link, heading, ".map[data-drawn]" if title in MAPS else "h1")
            if title == "Learn":
                for number in range(2, SCENES + 1):
                    step = page.locator(f".rail [aria-label^='Scene {number} of']")
                    now = page.locator(f".rail .now [aria-label^='Scene {number} of']")
                    times[f"Learn, scene {number}"] = _seconds(page, step, now, ".ask")
                page.locator(".rail [aria-label^='Scene 1 of']").click()
    page.context.close()
    return taken


def _seconds(page, pressed, arrived, drawn: str) -> float:
    """From a click on `pressed` until `arrived` and `drawn` are on the screen and the script is done."""
    page.wait_for_function(SETTLED)
    page.wait_for_timeout(700)
    began = time.perf_counter()
    pressed.click()
    arrived.first.wait_for()
    page.locator(drawn).first.wait_for()
    page.wait_for_function(SETTLED)
    return time.perf_counter() - began


# ---- the bare map against other tools


def _tool_table(asked: argparse.Namespace) -> list[str]:
    lines = [
        "Nothing but the map on a Streamlit page, from the click on a button to the last frame that changed.",
        "",
        "| tool | points | click to last draw s | hover s | area to answer s | fetched MB |",
        "|---|---|---|---|---|---|",
    ]
    missing: list[str] = []
    refused: dict[str, str] = {}
    with server("benchmarks/explorer_page.py") as address, chromium() as browser:
        for tool in asked.tools:
            words, package, *_ = TOOLS[tool]
            try:
                name = f"{words} {version(package)}" if package else words
            except PackageNotFoundError:
                missing.append(words)
                continue
            for size in asked.sizes:
                taken = [_try(browser, address, tool, size, refused) for _ in range(asked.runs)]
                lines.append(f"| {name} | {size:,} | {_cells(taken)} |")
                print(lines[-1], flush=True)
                if all(one["draw"] is None for one in taken):
                    break  # what draws nothing will not draw more
    lines.append("")
    lines += [f"{TOOLS[tool][0]} asked in vain for files at {hosts}." for tool, hosts in refused.items()]
    return [*lines, f"Not installed, so not measured: {', '.join(missing)}."] if missing else lines


def _try(browser, address: str, tool: str, size: int, refused: dict[str, str]) -> dict[str, float | None]:
    """One drawing, one look and one area with a tool; None for what did not come.

    `refused` gets the host, by tool, of a file from elsewhere that could not be fetched.
    """
    from playwright.sync_api import Error

    page = visitor(browser)
    page.on("requestfailed", lambda asked: _refuse(refused, tool, asked.url))
    traffic, frames = Traffic(page), Frames(page)
    _, _, picture, card = TOOLS[tool]
    taken: dict[str, float | None] = dict.fromkeys(("draw", "hover", "area", "fetched"))
    try:
        page.goto(f"{address}/?tool={tool}&points={size}")
        button = page.get_by_role("button", name="Draw", exact=True)
        button.wait_for()
        page.wait_for_timeout(1500)
        traffic.received = 0
        began = time.time()
        button.click()
        page.get_by_text(re.compile("drawn, 0 selected")).wait_for(timeout=1000 * LIMIT)
        drawn = _picture(page, picture)
        drawn.wait_for(timeout=1000 * LIMIT)
        taken["draw"] = frames.last(page) - began
        taken["fetched"] = traffic.received
        if card:
            taken["hover"] = _hover(page, picture, card)
            _lasso(page, drawn.bounding_box())
            began = time.perf_counter()
            page.mouse.up()
            page.get_by_text(re.compile(r"drawn, [1-9]\d* selected")).wait_for(timeout=1000 * LIMIT)
            taken["area"] = time.perf_counter() - began
    except Error as error:
        print(f"{tool} at {size}: {str(error).splitlines()[0]}", file=sys.stderr)
    frames.stop()
    page.context.close()
    return taken


def _picture(page, selector: str):
    """What a tool draws on; "iframe X" is an X within the page's frame."""
    inside = selector.removeprefix("iframe ")
    return (page if inside == selector else page.frame_locator("iframe").first).locator(inside).first


def _refuse(refused: dict[str, str], tool: str, url: str) -> None:
    host = urlsplit(url).hostname or ""
    if host not in ("", "localhost"):
        refused[tool] = host


def _cells(taken: list[dict[str, float | None]]) -> str:
    medians = _medians(taken)

    def cell(name: str, show: Callable[[float], str], otherwise: str) -> str:
        return otherwise if math.isnan(medians[name]) else show(medians[name])

    return " | ".join(
        (
            cell("draw", "{:.2f}".format, f"none within {LIMIT} s"),
            cell("hover", "{:.3f}".format, "–"),
            cell("area", "{:.2f}".format, "–"),
            cell("fetched", lambda size: f"{size / 1e6:.2f}", "–"),
        )
    )


# ---- hands and eyes


def _hover(page, area: str, card: str) -> float | None:
    """Seconds from the mouse's arrival at a crowd to the card of a point; tries a few places."""
    from playwright.sync_api import TimeoutError as NothingThere

    box = page.locator(area).first.bounding_box()
    for step in range(12):
        x, y = box["x"] + box["width"] * (0.5 + 0.004 * step), box["y"] + box["height"] * (0.45 + 0.006 * step)
        began = time.perf_counter()
        page.mouse.move(x, y)
        try:
            page.locator(card).first.wait_for(timeout=1500)
        except NothingThere:
            continue
        return time.perf_counter() - began
    return None


def _lasso(page, box: dict[str, float]) -> None:
    """Draw a circle around the middle of the map, and a line to its far corner, so that a tool that draws boxes makes
    one of about that size; the button is still down.
    """
    x, y, radius = box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"], 0.23 * box["height"]
    turns = [math.pi * (1.25 + 2 * step / 24) for step in range(25)]
    corners = [(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in (*turns, 0.25 * math.pi)]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner)


@dataclass
class Traffic:
    """Bytes over HTTP and WebSocket, both ways."""

    received: float = 0
    sent: float = 0

    def __init__(self, page):
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.on("Network.loadingFinished", lambda told: self._add(told["encodedDataLength"]))
        wire.on("Network.webSocketFrameReceived", lambda told: self._add(_size(told["response"])))
        wire.on("Network.webSocketFrameSent", self._add_sent)

    def _add(self, size: float) -> None:
        self.received += size

    def _add_sent(self, told: dict) -> None:
        self.sent += _size(told["response"])


def _size(frame: dict) -> float:
    """Bytes of a WebSocket frame, whose binary content is told as base64."""
    return len(frame["payloadData"]) * (0.75 if frame["opcode"] == 2 else 1)


class Frames:
    """When the picture on the screen last changed."""

    def __init__(self, page):
        self.times = [0.0]
        self.wire = page.context.new_cdp_session(page)
        self.wire.on("Page.screencastFrame", self._came)
        self.wire.send("Page.startScreencast", {"format": "jpeg", "quality": 10, "maxWidth": 320, "maxHeight": 240})

    def _came(self, told: dict) -> None:
        self.times.append(told["metadata"]["timestamp"])
        self.wire.send("Page.screencastFrameAck", {"sessionId": told["sessionId"]})

    def stop(self) -> None:
        """Ask for no more, so that none comes to a page that is closing."""
        self.wire.send("Page.stopScreencast")

    def last(self, page) -> float:
        """Epoch seconds of the last change, once none has come for QUIET seconds and the page is not at work."""
        while True:
            while time.time() - self.times[-1] < QUIET:
                page.wait_for_timeout(100)
            last = self.times[-1]
            page.evaluate(IDLE)  # a page that computes shows no frame meanwhile, and answers only then
            page.wait_for_timeout(300)
            if self.times[-1] == last:
                return last


PARTS = {"map": _app_table, "pages": _page_table, "tools": _tool_table}
TITLES = {"map": "The Map page", "pages": "From page to page", "tools": "The bare map against other tools"}

if __name__ == "__main__":
    main()
