"""The images behind the points: one by address, many as one sprite sheet.

Grey images on a plain ground (glyphs, drawings) are shown dark on light or light on dark, as the page is; photographs
stay as they are.
"""

import base64
from functools import lru_cache
from pathlib import Path

import numpy as np
import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import address, theme
from app.view import View
from bon_core.config import DataConfig, InputError
from bon_core.datasets.here import is_here
from bon_core.datasets.image_set import ImageSet
from bon_core.datasets.sizes import png, thumbnail
from bon_core.runs.run import IMAGES, Run
from bon_core.runs.snapshot import Snapshot
from bon_core.runs.store import open_run

CELL = 48  # px of a thumbnail in a sprite sheet
_fetched: set[DataConfig] = set()  # data sets of other machines that somebody has asked for


def image_set(run: Run) -> ImageSet | None:
    """The run's images; None for a run on bare embeddings, one whose data set was moved or deleted, or one that would
    have to be fetched: looking at a run asks no other machine.
    """
    try:
        source = _source(run)
        return None if source is None else _load(*source)
    except InputError:
        return None


def thumb_address(view: View) -> str | None:
    """Where a browser finds thumbnails, seen from a page: add "<id>.png"; None if the run has no images."""
    return f"thumb/{view.run.name}/{'dark' if _is_dark() else 'light'}/" if image_set(view.run) is not None else None


def offer(run: Run) -> None:
    """Where the run's pictures are on another machine: say so, with a button that fetches them."""
    elsewhere = _elsewhere(run)
    if elsewhere is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pictures-elsewhere"):
        theme.caption(
            f"The pictures of this run ({elsewhere.name}) are not on this machine, so class names stand in their place."
        )
        asked = st.button("Fetch them", icon=":material/download:", key="fetch-pictures", type="tertiary")
    if asked:
        _fetch(elsewhere)


def _fetch(data: DataConfig) -> None:
    try:
        with st.spinner(f"Fetching {data.name} …"):
            _load(data, _stamp(Path(data.path or data.name)))
    except InputError as error:
        theme.error_box(str(error))
        return
    _fetched.add(data)
    st.rerun()


def picture(view: View, identity: int) -> np.ndarray | None:
    """One image as it is shown, (H, H) or (H, H, 3) uint8, or None."""
    images = image_set(view.run)
    row = None if images is None else _row_of(images).get(int(identity))
    return None if images is None or row is None else _shown(images, images.images[row], _is_dark())


def data_address(image: np.ndarray, *, size: int | None = None) -> str:
    """An image as text for an <img>, resized to `size` px if given."""
    return "data:image/png;base64," + base64.b64encode(png(thumbnail(image, size or image.shape[0]))).decode()


def sprite(view: View, ids: np.ndarray, *, cell: int = CELL, columns: int = 20) -> str | None:
    """All images of `ids` on one sheet, row by row, `columns` a row, as text for CSS; None without images.

    An id that has no image leaves its cell empty.
    """
    images = image_set(view.run)
    if images is None or not len(ids):
        return None
    row_of, dark = _row_of(images), _is_dark()
    lines = -(-len(ids) // columns)
    sheet = np.full((lines * cell, columns * cell, *images.images.shape[3:]), 0 if dark else 255, np.uint8)
    for place, identity in enumerate(ids):
        row = row_of.get(int(identity))
        if row is not None:
            y, x = divmod(place, columns)
            sheet[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell] = thumbnail(
                _shown(images, images.images[row], dark), cell
            )
    return "data:image/png;base64," + base64.b64encode(png(sheet)).decode()


def route() -> Route:
    """GET /thumb/RUN/light/ID.png, or dark/."""
    return Route("/thumb/{run}/{ground}/{identity}.png", _serve)


async def _serve(request: Request) -> Response:
    asked = request.path_params
    content, identity = None, address.whole(str(asked["identity"]))
    if identity is not None:
        content = await run_in_threadpool(_thumb, asked["run"], identity, asked["ground"] == "dark")
    if content is None:
        return Response(status_code=404)
    return Response(content, media_type="image/png", headers={"Cache-Control": "max-age=300"})


def _thumb(run_name: str, identity: int, dark: bool) -> bytes | None:
    try:
        source = _source(open_run(run_name))
        return None if source is None else _encoded(*source, identity, dark)
    except InputError:
        return None


@lru_cache(maxsize=4096)
def _encoded(data: DataConfig, stamp: int, identity: int, dark: bool) -> bytes | None:
    images = _load(data, stamp)
    row = _row_of(images).get(identity)
    return None if row is None else png(thumbnail(_shown(images, images.images[row], dark), 72))


def _source(run: Run) -> tuple[DataConfig, int] | None:
    """Which pictures a run came with, or was trained on, with their stamp; None if there are none."""
    given = run.path / IMAGES
    if given.exists():
        return DataConfig(name=str(given)), _stamp(given)
    steps = run.snapshots()
    if not steps or _origin(run.snapshot_path(steps[-1]), _stamp(run.snapshot_path(steps[-1]))) != "trained":
        return None
    data = run.config.data
    if not is_here(data) and data not in _fetched:
        return None
    return data, _stamp(Path(data.path or data.name))


def _elsewhere(run: Run) -> DataConfig | None:
    """The data set that the run's pictures are in, if they would have to be fetched."""
    try:
        if (run.path / IMAGES).exists() or _source(run) is not None:
            return None
        steps, data = run.snapshots(), run.config.data
        newest = run.snapshot_path(steps[-1]) if steps else None
        trained = newest is not None and _origin(newest, _stamp(newest)) == "trained"
    except InputError:
        return None
    return data if trained and not is_here(data) else None


@lru_cache(maxsize=3)
def _load(data: DataConfig, stamp: int) -> ImageSet:
    from bon_core.datasets import load_images

    return load_images(data)


@lru_cache(maxsize=64)
def _origin(path: Path, stamp: int) -> str:
    return Snapshot.open(path).meta["origin"]


def _stamp(path: Path) -> int:
    """Differs when another file or folder lies there; 0 if there is none, as for a set that goes by its name."""
    try:
        return path.expanduser().stat().st_mtime_ns
    except (OSError, RuntimeError, ValueError):
        return 0


@lru_cache(maxsize=3)
def _row_of(images: ImageSet) -> dict[int, int]:
    return {int(identity): row for row, identity in enumerate(images.ids)}


def _is_dark() -> bool:
    return st.context.theme.type == "dark"


@lru_cache(maxsize=3)
def ground_of(images: ImageSet) -> int | None:
    """The grey that most edge pixels have, if nearly all have it; None for photographs."""
    if images.channels != 1:
        return None
    some = images.images[:: max(len(images) // 500, 1)]
    edges = np.concatenate([some[:, 0].ravel(), some[:, -1].ravel()])
    grey = int(np.median(edges))
    return grey if np.mean(np.abs(edges.astype(int) - grey) < 16) > 0.6 else None


def _shown(images: ImageSet, image: np.ndarray, dark: bool) -> np.ndarray:
    ground = ground_of(images)
    return image if ground is None or (ground < 128) == dark else 255 - image
