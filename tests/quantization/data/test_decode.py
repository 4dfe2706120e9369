"""Decoding: every format, one and three channels, sizes, and files that are no images."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.data.decode import Decoder
from intel_quantization.errors import BadInputError
from tests.quantization.pictures import GIF_RED_THEN_BLUE, bmp, encode, plain

RNG = np.random.RandomState(0)
COLOURS = RNG.randint(0, 256, (5, 7, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def rgb():
    return Decoder(3)


@pytest.fixture(scope="module")
def gray():
    return Decoder(1)


def put(tmp_path, data, name="x.png"):
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def test_png_is_exact(rgb, tmp_path):
    pixels = rgb.read(put(tmp_path, encode("png", COLOURS)))
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, COLOURS)


def test_bmp_is_exact(rgb, tmp_path):
    np.testing.assert_array_equal(rgb.read(put(tmp_path, bmp(COLOURS), "x.bmp")), COLOURS)


def test_jpeg_of_one_shade_is_that_shade(rgb, tmp_path):
    pixels = rgb.read(put(tmp_path, encode("jpeg", plain(100, (16, 16))), "x.jpg"))
    assert np.abs(pixels - 100).max() <= 1


def test_of_an_animation_the_first_picture_counts(rgb, tmp_path):
    pixels = rgb.read(put(tmp_path, GIF_RED_THEN_BLUE, "x.gif"))
    np.testing.assert_array_equal(pixels, np.broadcast_to([255.0, 0, 0], (2, 2, 3)))


def test_alpha_is_dropped(rgb, tmp_path):
    alpha = np.concatenate([COLOURS, np.full((5, 7, 1), 9, np.uint8)], axis=2)
    np.testing.assert_array_equal(rgb.read(put(tmp_path, encode("png", alpha))), COLOURS)


def test_gray_is_spread_over_rgb(rgb, tmp_path):
    pixels = rgb.read(put(tmp_path, encode("png", COLOURS[..., :1])))
    np.testing.assert_array_equal(pixels, np.repeat(COLOURS[..., :1], 3, axis=2))


@pytest.mark.parametrize(("data", "luma"), [(GIF_RED_THEN_BLUE, 76), (bmp(plain(77)), 77)], ids=["gif", "bmp"])
def test_colours_become_gray(gray, tmp_path, data, luma):
    pixels = gray.read(put(tmp_path, data))
    assert pixels.shape[-1] == 1
    np.testing.assert_allclose(pixels, luma, atol=1)


def test_the_content_counts_and_not_the_name(rgb, tmp_path):
    np.testing.assert_array_equal(rgb.read(put(tmp_path, encode("png", COLOURS), "x.jpg")), COLOURS)


def test_shrinking_averages_what_it_drops(gray, tmp_path):
    """Without antialiasing, a fine checkerboard shrinks to noise between black and white instead of gray."""
    board = (255 * (np.indices((64, 64)).sum(axis=0) % 2)).astype(np.uint8)[..., np.newaxis]
    pixels = gray.read(put(tmp_path, encode("png", board)), (16, 16))
    assert pixels.shape == (16, 16, 1)
    assert np.abs(pixels[2:-2, 2:-2] - 127.5).max() < 3


def test_enlarging_interpolates_between_pixel_centres(gray, tmp_path):
    two = np.array([[[0], [100]]], np.uint8)
    pixels = gray.read(put(tmp_path, encode("png", two)), (1, 4))
    np.testing.assert_allclose(pixels[0, :, 0], [0, 25, 75, 100], atol=1e-3)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"hello, world", "begins with b'hello, w'"),
        (encode("png", COLOURS)[:60], "cannot decode"),
        (b"\xff\xd8\xff" + bytes(50), "cannot decode"),
        (b"GIF89a" + bytes(3), "cannot decode"),
        (b"BM" + bytes(10), "cannot decode"),
    ],
    ids=["empty", "text", "cut png", "bad jpeg", "bad gif", "bad bmp"],
)
def test_what_is_no_image_is_named(rgb, tmp_path, data, said):
    path = put(tmp_path, data, "holiday.png")
    with pytest.raises(BadInputError) as error:
        rgb.read(path)
    assert "holiday.png" in error.value.message
    assert said in error.value.message
    assert "expected a whole PNG, JPEG, GIF or BMP image" in error.value.message
    assert "\n" not in error.value.message
    rgb.read(put(tmp_path, encode("png", COLOURS)))  # the session still works


def test_an_unreadable_file_is_named(rgb, tmp_path):
    with pytest.raises(BadInputError, match=r"cannot read .*gone\.png"):
        rgb.read(str(tmp_path / "gone.png"))
