"""Feeds: batches of images in the shape, layout and type that a placeholder asks for."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.data.feeds import ImageFeed, image_input, layout_of
from intel_quantization.data.images import Image
from intel_quantization.data.preprocess import CUSTOM, Preprocessing
from intel_quantization.data.resizing import parse_resizing
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo
from tests.quantization.pictures import plain, write


def info(shape, dtype="float32", name="x"):
    return TensorInfo(name + ":0", name, dtype, shape)


@pytest.fixture
def folder(tmp_path):
    """Five pictures of 8x8 whose shade is 10 times their number."""
    for number in range(5):
        write(tmp_path / f"{number}.png", plain(10 * number))
    return str(tmp_path)


@pytest.mark.parametrize(
    ("shape", "batch", "size", "channels", "first"),
    [
        ((None, 224, 200, 3), None, (224, 200), 3, False),
        ((1, 28, 28, 1), 1, (28, 28), 1, False),
        ((None, 3, 224, 200), None, (224, 200), 3, True),
        ((None, None, None, 3), None, None, 3, False),
        ((None, None, None, None), None, None, 3, False),
        (None, None, None, 3, False),
        ((None, 1, None, None), None, None, 1, True),
        ((2, None, 64, 3), 2, (64, 64), 3, False),
        ((None, 3, 3, 3), None, (3, 3), 3, False),
    ],
)
def test_layouts(shape, batch, size, channels, first):
    layout = layout_of(info(shape))
    assert (layout.batch, layout.size, layout.channels, layout.channels_first) == (batch, size, channels, first)


@pytest.mark.parametrize(
    ("shape", "dtype", "said"),
    [
        ((None, 784), "float32", "four dimensions"),
        ((None, 224, 224, 4), "float32", "1 or 3 channels"),
        ((None,), "string", "string"),
        ((None, 224, 224, 3), "int16", "int16"),
    ],
)
def test_a_placeholder_that_takes_no_images_is_explained(shape, dtype, said):
    with pytest.raises(BadInputError) as error:
        layout_of(info(shape, dtype, "features"))
    assert "features:0" in error.value.message
    assert said in error.value.message
    assert "--inputs" in error.value.remedy


def test_batches_cover_all_images_and_the_last_may_be_smaller(folder):
    feed = ImageFeed(folder, info((None, 4, 6, 3)), "none", 2)
    batches = list(feed)
    assert len(feed) == len(batches) == 3
    assert [batch["x:0"].shape for batch in batches] == [(2, 4, 6, 3), (2, 4, 6, 3), (1, 4, 6, 3)]
    assert [batch["x:0"][0, 0, 0, 0] for batch in batches] == pytest.approx([0, 20, 40])
    assert batches[0]["x:0"].dtype == np.float32


def test_a_feed_can_be_read_again(folder):
    feed = ImageFeed(folder, info((None, 8, 8, 3)), "tf", 2)
    for first, second in zip(feed, feed):
        np.testing.assert_array_equal(first["x:0"], second["x:0"])


def test_images_are_read_only_when_their_turn_comes(folder, tmp_path):
    feed = iter(ImageFeed(folder, info((None, 8, 8, 3)), "none", 1))
    next(feed)
    write(tmp_path / "1.png", plain(99))
    assert next(feed)["x:0"].max() == 99


def test_a_fixed_batch_is_filled_but_says_how_many_count(folder):
    feed = ImageFeed(folder, info((2, 8, 8, 3)), "none", 64)
    batches = list(feed.batches())
    assert [len(batch.images) for batch in batches] == [2, 2, 1]
    assert {batch.feed["x:0"].shape for batch in batches} == {(2, 8, 8, 3)}
    np.testing.assert_array_equal(batches[2].feed["x:0"][1], batches[2].feed["x:0"][0])


def test_pictures_keep_their_size_one_by_one_where_the_graph_takes_any(tmp_path):
    write(tmp_path / "a.png", plain(1, (8, 9)))
    write(tmp_path / "b.png", plain(2, (5, 4)))
    feed = ImageFeed(str(tmp_path), info((None, None, None, 3), "uint8"), "none", 16)
    assert [batch["x:0"].shape for batch in feed] == [(1, 8, 9, 3), (1, 5, 4, 3)]
    fixed = ImageFeed(str(tmp_path), info((2, None, None, 3)), "none")
    assert [batch["x:0"].shape for batch in fixed] == [(2, 8, 9, 3), (2, 5, 4, 3)]


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_are_raw_pixels(tmp_path, dtype):
    path = write(tmp_path / "a.png", np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    (raw,) = ImageFeed(None, info((None, 5, 5, 3), "uint8"), "none", files=[Image(path)])
    (same,) = ImageFeed(None, info((None, 5, 5, 3), dtype), "none", files=[Image(path)])
    assert same["x:0"].dtype == dtype
    np.testing.assert_array_equal(same["x:0"], raw["x:0"])
    with pytest.raises(BadInputError, match=f"raw {dtype} pixels"):
        ImageFeed(None, info((None, 5, 5, 3), dtype), "unit", files=[Image(path)])


def test_all_of_a_preprocessing_is_applied(tmp_path):
    picture = np.zeros((8, 16, 3), np.uint8)
    picture[...] = [10, 20, 30]
    path = write(tmp_path / "a.png", picture)
    own = Preprocessing(CUSTOM, "bgr", mean=(10.0,), std=(10.0,), resizing=parse_resizing("pad:110"))
    (batch,) = ImageFeed(None, info((None, 16, 16, 3)), own, files=[Image(path)])
    np.testing.assert_allclose(batch["x:0"][0, 8, 8], [2, 1, 0])
    np.testing.assert_allclose(batch["x:0"][0, 0, 0], [10, 10, 10])


def test_uint8_is_rounded(tmp_path):
    picture = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    path = write(tmp_path / "a.png", picture)
    (raw,) = ImageFeed(None, info((None, 5, 5, 3)), "none", files=[Image(path)])
    (rounded,) = ImageFeed(None, info((None, 5, 5, 3), "uint8"), "none", files=[Image(path)])
    assert rounded["x:0"].dtype == np.uint8
    np.testing.assert_array_equal(rounded["x:0"], np.rint(raw["x:0"]))


def test_channels_first(tmp_path):
    picture = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    path = write(tmp_path / "a.png", picture)
    (batch,) = ImageFeed(None, info((None, 3, 8, 8)), "caffe", files=[Image(path)])
    expected = picture[..., ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    np.testing.assert_array_equal(batch["x:0"][0], expected.transpose(2, 0, 1))


def test_preprocessing_must_fit(folder):
    with pytest.raises(BadInputError, match="raw uint8 pixels"):
        ImageFeed(folder, info((None, 8, 8, 3), "uint8"), "tf")
    with pytest.raises(BadInputError, match="1 channel"):
        ImageFeed(folder, info((None, 8, 8, 1)), "vgg")


def test_flags_are_fed_false_beside_the_images(folder):
    tensor, constants = image_input([info((), "bool", "is_training"), info((None, 8, 8, 3))])
    assert tensor.name == "x:0"
    batch = next(iter(ImageFeed(folder, tensor, constants=constants)))
    assert set(batch) == {"x:0", "is_training:0"}
    assert batch["is_training:0"].dtype == bool
    assert not batch["is_training:0"]


def test_two_image_inputs_are_refused_by_name():
    with pytest.raises(BadInputError, match="left:0, right:0"):
        image_input([info((None, 8, 8, 3), name="left"), info((None, 8, 8, 3), name="right")])
