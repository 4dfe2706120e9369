"""Rules of resizing: which part of a picture comes where."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.data.decode import Decoder
from intel_quantization.data.resizing import STRETCH, Resizing, parse_resizing, to_size
from intel_quantization.errors import BadInputError
from tests.quantization.pictures import write


class Recorder:
    """Takes the nearest pixels, and notes what sizes it was asked for."""

    def __init__(self) -> None:
        self.sizes: list = []

    def __call__(self, pixels, size):
        self.sizes.append(tuple(size))
        rows, columns = ((np.arange(new) * old) // new for new, old in zip(size, pixels.shape[:2]))
        return pixels[rows][:, columns]


def positions(height, width):
    """A picture whose pixels say where they were: row, column, 1."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.ones_like(rows)], -1).astype(np.float32)


@pytest.mark.parametrize(
    "text", ["stretch", "crop", "crop:256", "central_crop", "central_crop:0.9", "pad", "pad:114", "pad:0.5"]
)
def test_a_rule_is_written_as_it_is_read(text):
    assert str(parse_resizing(text)) == text


@pytest.mark.parametrize(
    "text", ["", "fit", "stretch:1", "crop:", "crop:x", "crop:0", "crop:1.5", "crop:inf", "central_crop:2", "pad:-1"]
)
def test_other_rules_are_refused(text):
    with pytest.raises(BadInputError):
        parse_resizing(text)


def test_stretch_takes_all_of_the_picture():
    resize = Recorder()
    assert to_size(positions(10, 30), (8, 8), STRETCH, resize).shape == (8, 8, 3)
    assert resize.sizes == [(8, 8)]
    picture = positions(8, 8)
    assert to_size(picture, (8, 8), STRETCH, resize) is picture


def test_crop_has_a_margin_around_the_centre():
    resize = Recorder()
    result = to_size(positions(300, 600), (224, 224), parse_resizing("crop"), resize)
    assert resize.sizes == [(256, 512)]
    assert result.shape == (224, 224, 3)
    centre = result[..., :2].mean((0, 1))
    np.testing.assert_allclose(centre, [149.5, 299.5], atol=1.5)
    to_size(positions(600, 300), (299, 299), parse_resizing("crop"), resize)
    assert resize.sizes[-1] == (683, 342)
    to_size(positions(600, 300), (224, 224), parse_resizing("crop:232"), resize)
    assert resize.sizes[-1] == (464, 232)


def test_a_picture_of_the_right_size_is_only_cut():
    resize = Recorder()
    result = to_size(positions(256, 256), (224, 224), parse_resizing("crop"), resize)
    assert resize.sizes == []
    assert result[0, 0].tolist() == [16, 16, 1]


def test_crop_of_an_input_that_is_no_square_covers_it():
    result = to_size(positions(100, 100), (48, 320), parse_resizing("crop"), Recorder())
    assert result.shape == (48, 320, 3)


def test_a_crop_smaller_than_the_input_is_refused():
    with pytest.raises(BadInputError, match="crop:200"):
        to_size(positions(300, 300), (224, 224), Resizing("crop", 200.0), Recorder())


def test_central_crop_stretches_the_centre():
    resize = Recorder()
    result = to_size(positions(80, 160), (40, 40), parse_resizing("central_crop"), resize)
    assert resize.sizes == [(40, 40)]
    assert result[0, 0].tolist() == [5, 10, 1]
    assert result[-1, -1, 0] < 75
    assert result[-1, -1, 1] < 150


def test_pad_keeps_the_shape():
    resize = Recorder()
    result = to_size(positions(50, 100), (64, 64), parse_resizing("pad:114"), resize)
    assert resize.sizes == [(32, 64)]
    assert set(np.unique(result[:16])) == set(np.unique(result[48:])) == {114.0}
    assert (result[16:48, :, 2] == 1).all()
    assert to_size(positions(3, 1000), (64, 64), parse_resizing("pad"), resize).shape == (64, 64, 3)


def test_the_decoder_goes_by_the_rule(tmp_path):
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:, 8:24] = 200
    path = write(tmp_path / "a.png", picture)
    decoder = Decoder(3)
    assert decoder.read(path, (14, 14)).mean() < 150
    assert decoder.read(path, (14, 14), resizing=parse_resizing("crop")).min() == 200
    assert decoder.read(path, (16, 16), resizing=parse_resizing("pad"))[0].max() == 0
    np.testing.assert_array_equal(decoder.read(path, (14, 14)), decoder.read(path, (14, 14), resizing=STRETCH))
