"""Odd pictures that are whole are read right: the colours and the way up that a person would see."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from bon_core.config import DataConfig
from bon_core.datasets import load_images
from tests.robustness.hostile import pictures

TOP = (220, 40, 30)  # of a picture whose upper half is red and whose lower half is white


def flag(mode: str = "RGB") -> Image.Image:
    picture = Image.new("RGB", (16, 16), "white")
    picture.paste(TOP, (0, 0, 16, 8))
    return picture.convert(mode)


def rotated(orientation: int) -> bytes:
    """The flag stored turned or mirrored, with the EXIF mark that says so."""
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # FLIP_LEFT_RIGHT, ROTATE_180, FLIP_TOP_BOTTOM, TRANSPOSE, ...
    stored = flag() if orientation == 1 else flag().transpose(Image.Transpose(back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return pictures.encoded(stored, "JPEG", exif=exif, quality=95, subsampling=0)


def animated(kind: str) -> bytes:
    others = [Image.new("RGB", (16, 16), "blue") for _ in range(3)]
    return pictures.encoded(flag(), kind, save_all=True, append_images=others, duration=100)


def sixteen_bits(kind: str) -> bytes:
    grey = np.full((16, 16), 65535, np.uint16)
    grey[:8] = 20000
    return pictures.encoded(Image.fromarray(grey), kind)


def with_alpha(mode: str) -> bytes:
    """The flag whose lower half is not white but see-through."""
    picture = flag().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 8, 16, 16))
    return pictures.encoded(picture.convert(mode) if mode != "RGBA" else picture, "PNG")


PICTURES = {
    "plain": pictures.encoded(flag(), "PNG"),
    "palette": pictures.encoded(flag().quantize(8), "PNG"),
    "palette gif": pictures.encoded(flag().quantize(8), "GIF"),
    "see-through": with_alpha("RGBA"),
    "CMYK": pictures.encoded(flag("CMYK"), "JPEG", quality=95),
    "CMYK tiff": pictures.encoded(flag("CMYK"), "TIFF"),
    "YCbCr": pictures.encoded(flag("YCbCr"), "JPEG", quality=95, subsampling=0),
    "progressive": pictures.encoded(flag(), "JPEG", progressive=True, quality=95, subsampling=0),
    "with a profile": pictures.encoded(
        flag(), "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    ),
    "animated gif": animated("GIF"),
    "animated png": animated("PNG"),
    "animated webp": animated("WEBP"),
    "several pages": animated("TIFF"),
    "bmp": pictures.encoded(flag(), "BMP"),
    "ppm": pictures.encoded(flag(), "PPM"),
    "webp": pictures.encoded(flag(), "WEBP", lossless=True),
    **{f"EXIF {orientation}": rotated(orientation) for orientation in range(1, 9)},
}
GREYS = {
    "grey": (pictures.encoded(flag("L"), "PNG"), 92),
    "16 bits": (sixteen_bits("PNG"), 77),
    "16 bits tiff": (sixteen_bits("TIFF"), 77),
    "one bit": (
        pictures.encoded(Image.fromarray(np.repeat([[0] * 16, [255] * 16], 8, 0).astype(np.uint8)).convert("1"), "PNG"),
        0,
    ),
    "grey and see-through": (pictures.encoded(flag("LA"), "PNG"), 92),
}


def read(content: bytes, folder, name: str = "1.png") -> np.ndarray:
    files = {f"{letter}/{number}-{name}": content for letter in "ab" for number in range(2)}
    return load_images(DataConfig(name=str(pictures.zipped(files)(folder)), image_size=16)).images[0].astype(int)


@pytest.mark.parametrize("name", PICTURES)
def test_an_odd_picture_is_read_as_it_is_seen(name, tmp_path):
    image = read(PICTURES[name], tmp_path)
    assert image.shape == (16, 16, 3)
    assert np.abs(image[:7] - TOP).max() < 26, "the upper half is red"
    assert np.abs(image[9:] - 255).max() < 16, "the lower half is white"


@pytest.mark.parametrize("name", GREYS)
def test_an_odd_grey_picture_too(name, tmp_path):
    content, level = GREYS[name]
    image = read(content, tmp_path)
    assert image.shape == (16, 16)
    assert np.abs(image[:7] - level).max() < 12 and np.abs(image[9:] - 255).max() < 4


@pytest.mark.parametrize("suffix", ["jpg", "gif", "bmp", "webp", "tif"])
def test_a_wrong_suffix_does_not_matter_if_it_is_a_picture(suffix, tmp_path):
    assert (read(PICTURES["plain"], tmp_path, f"1.{suffix}") == read(PICTURES["plain"], tmp_path)).all()


def test_names_that_are_not_utf8_in_an_old_zip_are_read_as_such_zips_mean_them(tmp_path):
    path = pictures.zipped({f"{name}/{number}.png": pictures.RED for name in ("a", "b") for number in range(2)})(
        tmp_path
    )
    content = path.read_bytes().replace(b"b/", b"\x84/")  # an umlaut in code page 437, as zips without Unicode have it
    path.write_bytes(content)
    assert load_images(DataConfig(name=str(path), image_size=8)).class_names == ("a", "ä")


def test_a_picture_inside_a_stream_needs_no_file(tmp_path):
    from bon_core.datasets.folder import open_picture

    with open_picture(io.BytesIO(PICTURES["plain"])) as picture:
        assert picture.size == (16, 16)
