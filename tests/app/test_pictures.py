"""Thumbnails: the right image for an id, as an address, a sprite or a file."""

import asyncio
import base64
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from starlette.requests import Request

from app import pictures
from bon_core.datasets.image_set import ImageSet


@pytest.fixture
def images(tiny_run):
    return ImageSet.load(tiny_run.config.data.name)


def decoded(address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_a_picture_goes_by_id(view, images):
    assert (pictures.picture(view, images.ids[7]) == images.images[7]).all()
    assert pictures.picture(view, 10**12) is None


def test_a_sprite_lays_out_row_by_row_and_leaves_unknown_cells_white(view, images):
    ids = np.array([images.ids[4], 10**12, images.ids[9], images.ids[0]])
    sheet = decoded(pictures.sprite(view, ids, cell=16, columns=3))
    assert sheet.shape == (32, 48)
    assert (sheet[:16, :16] == images.images[4]).all()
    assert (sheet[:16, 16:32] == 255).all()
    assert (sheet[:16, 32:] == images.images[9]).all()
    assert (sheet[16:, :16] == images.images[0]).all()


def served(run: str, identity: int | str):
    """What the route answers."""
    scope = {"type": "http", "path_params": {"run": run, "identity": identity, "ground": "light"}}
    return asyncio.run(pictures._serve(Request(scope)))


def test_the_route_serves_known_ids_of_known_runs_alone(tiny_run, images):
    found = served("tiny", int(images.ids[3]))
    assert found.status_code == 200 and found.media_type == "image/png"
    assert Image.open(io.BytesIO(found.body)).size == (72, 72)
    assert served("tiny", 999_999_999).status_code == 404
    assert served("nowhere", 1).status_code == 404
    assert served("../../etc", 1).status_code == 404
    for identity in ("9" * 5000, "-1", "1e3", "²", ""):
        assert served("tiny", identity).status_code == 404


def test_without_the_data_set_there_are_no_pictures_and_no_error(view, tiny_run, tmp_path):
    (tmp_path / "tiny.npz").unlink()
    pictures._load.cache_clear()
    assert pictures.thumb_address(view) is None
    assert pictures.sprite(view, view.ids) is None


@pytest.mark.parametrize("ground", [0, 255])
def test_drawings_are_dark_on_light_and_light_on_dark(images, ground):
    drawn = np.full((20, 16, 16), ground, np.uint8)
    drawn[:, 6:10, 6:10] = 255 - ground
    drawings = dataclasses.replace(images.take(np.arange(20)), images=drawn)
    light, dark = (pictures._shown(drawings, drawn[0], is_dark) for is_dark in (False, True))
    assert (light[0, 0], light[8, 8]) == (255, 0)
    assert (dark[0, 0], dark[8, 8]) == (0, 255)


def test_photographs_are_never_inverted(images):
    noise = images.images[0]
    assert (pictures._shown(images, noise, True) == noise).all()
    assert (pictures._shown(images, noise, False) == noise).all()
