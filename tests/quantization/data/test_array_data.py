"""Arrays as data: which is for which input, pixels, labels, batches, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.data.array_data import array_data
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo
from tests.quantization.builders import random

pytestmark = pytest.mark.tensorflow


def info(name, shape, dtype="float32"):
    return TensorInfo(name + ":0", name, dtype, shape)


def saved(folder, **arrays):
    path = str(folder / "data.npz")
    np.savez(path, **arrays)
    return path


IMAGE = info("x", (None, 8, 8, 3))
FLOATS = random("x", (7, 8, 8, 3))
PIXELS = np.random.RandomState(0).randint(0, 256, (7, 8, 8, 3)).astype(np.uint8)


def test_the_only_array_is_for_the_only_input(tmp_path):
    data = array_data([saved(tmp_path, images=FLOATS)], [IMAGE], 4, 2)
    batches = list(data.feed(data.split.calibration, None, 3).batches())
    assert [len(batch.images) for batch in batches] == [3, 1]
    given = np.concatenate([batch.feed["x:0"] for batch in batches])
    np.testing.assert_array_equal(given, FLOATS[list(data.split.calibration)])
    assert (data.total, data.layout, data.labelling.numbered) == (7, None, False)
    assert not set(data.split.calibration) & set(data.split.evaluation)
    assert len(data.split.evaluation) == 2


def test_the_only_one_that_fits_is_for_the_input(tmp_path):
    path = saved(tmp_path, images=FLOATS, labels=np.arange(7), classes=np.array(["ape", "bee"]))
    data = array_data([path], [IMAGE])
    assert data.what.endswith("data.npz (images)")
    assert [text.split(" is ")[0][-9:] for text in data.warnings] == ["(classes)"]


def test_the_seed_draws(tmp_path):
    path = saved(tmp_path, x=np.zeros((100, 4), np.float32))
    draws = [array_data([path], [info("x", (None, 4))], 10, 10, seed).split for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_several_inputs_by_name(tmp_path):
    left, right = random("a", (5, 4)), random("b", (5, 2, 2))
    np.save(str(tmp_path / "left.npy"), left)
    inputs = [info("scope/right", (None, 2, 2)), info("left", (None, 4)), info("is_training", (), "bool")]
    inputs.append(info("rate", ()))
    paths = [str(tmp_path / "left.npy"), saved(tmp_path, **{"scope/right:0": right, "rate": np.float32(0.5)})]
    data = array_data(paths, inputs, 5, 0)
    (batch,) = data.feed(data.split.calibration, None, 5)
    assert set(batch) == {"left:0", "scope/right:0", "is_training:0", "rate:0"}
    np.testing.assert_array_equal(batch["left:0"], left)
    np.testing.assert_array_equal(batch["scope/right:0"], right)
    assert (batch["rate:0"], batch["is_training:0"]) == (0.5, False)


def test_bytes_are_pixels(tmp_path):
    data = array_data([saved(tmp_path, x=PIXELS)], [IMAGE], 7, 0)
    (batch,) = data.feed(data.split.calibration, "tf", 7)
    np.testing.assert_allclose(batch["x:0"], PIXELS / 127.5 - 1, atol=1e-6)
    assert data.layout.channels == 3
    with pytest.raises(BadInputError, match="'torchy' does not fit"):
        data.feed(data.split.calibration, "torchy", 7)
    raw = array_data([saved(tmp_path, x=PIXELS)], [info("x", (None, 8, 8, 3), "uint8")], 7, 0)
    assert raw.layout is None
    (batch,) = raw.feed(raw.split.calibration, None, 7)
    np.testing.assert_array_equal(batch["x:0"], PIXELS)


def test_channels_first(tmp_path):
    first = PIXELS.transpose(0, 3, 1, 2)
    data = array_data([saved(tmp_path, x=np.ascontiguousarray(first))], [info("x", (None, 3, 8, 8))], 7, 0)
    (batch,) = data.feed(data.split.calibration, "none", 7)
    np.testing.assert_array_equal(batch["x:0"], first)


def test_labels(tmp_path):
    labels = np.arange(7)
    data = array_data([saved(tmp_path, x=FLOATS, labels=labels)], [IMAGE], 3, 4)
    (batch,) = data.feed(data.split.evaluation, None, 4).batches()
    assert [image.label for image in batch.images] == list(data.split.evaluation)
    assert data.labelling.numbered
    np.save(str(tmp_path / "l.npy"), labels[::-1])
    (tmp_path / "l.txt").write_text("\n".join(str(6 - label) for label in labels))
    for name in ("l.npy", "l.txt"):
        other = array_data([saved(tmp_path, x=FLOATS)], [IMAGE], 3, 4, labels=str(tmp_path / name))
        (batch,) = other.feed(other.split.evaluation, None, 4).batches()
        assert [image.label for image in batch.images] == [6 - row for row in other.split.evaluation]


def test_a_fixed_batch_is_filled(tmp_path):
    data = array_data([saved(tmp_path, x=FLOATS)], [info("x", (4, 8, 8, 3))], 7, 0)
    batches = list(data.feed(data.split.calibration, None, 64).batches())
    assert [len(batch.images) for batch in batches] == [4, 3]
    np.testing.assert_array_equal(batches[1].feed["x:0"][3], FLOATS[6])


def test_whole_numbers_become_floats(tmp_path):
    data = array_data([saved(tmp_path, x=np.ones((3, 4), np.int64))], [info("x", (None, 4))], 3, 0)
    (batch,) = data.feed(data.split.calibration, None, 3)
    assert batch["x:0"].dtype == np.float32


def test_what_is_not_used_is_told(tmp_path):
    data = array_data([saved(tmp_path, x=FLOATS, other=FLOATS)], [IMAGE])
    assert len(data.warnings) == 1
    assert "(other) is no input" in data.warnings[0]


@pytest.mark.parametrize(
    ("arrays", "inputs", "said", "remedy"),
    [
        ({"x": FLOATS[:, :4]}, [IMAGE], "float32 [7,4,8,3]; the input x:0 takes float32 [?,8,8,3]", "that shape"),
        ({"x": FLOATS.transpose(0, 3, 1, 2).copy()}, [IMAGE], "[7,3,8,8]", "channels come first"),
        ({"x": FLOATS}, [info("x", (None, 3, 8, 8))], "[7,8,8,3]", "channels come last"),
        ({"x": FLOATS[0]}, [IMAGE], "[8,8,3]", "array[None]"),
        ({"x": FLOATS}, [info("x", (None, 8, 8, 3), "uint8")], "takes uint8", "save it as uint8"),
        ({"x": FLOATS.astype(str)}, [IMAGE], "takes float32", "save it as float32"),
        ({"a": FLOATS, "b": FLOATS}, [IMAGE], "no array for the input x:0", "x=array"),
        ({"x": FLOATS}, [IMAGE, info("y", (None,))], "no array for the input y:0", "x=array, y=array"),
        ({"x": FLOATS, "y": FLOATS[:3, 0, 0, 0]}, [IMAGE, info("y", (None,))], "different numbers of rows", ""),
        ({"x": FLOATS[:0]}, [IMAGE], "no rows", "samples"),
        ({"x": FLOATS, "labels": np.zeros(6, int)}, [IMAGE], "(labels) is int64 [6]", "leave it out"),
        ({"x": FLOATS, "labels": np.zeros(7)}, [IMAGE], "(labels) is float64 [7]", "leave it out"),
    ],
)
def test_what_does_not_fit(tmp_path, arrays, inputs, said, remedy):
    with pytest.raises(BadInputError) as caught:
        array_data([saved(tmp_path, **arrays)], inputs)
    assert said in caught.value.message
    assert remedy in caught.value.remedy
    assert "data.npz" in caught.value.message or "rows" in caught.value.message


@pytest.mark.parametrize("text", ["1\n2\n", "a\n" * 7, ""])
def test_labels_that_are_none(tmp_path, text):
    (tmp_path / "l.txt").write_text(text)
    with pytest.raises(BadInputError, match=r"l\.txt"):
        array_data([saved(tmp_path, x=FLOATS)], [IMAGE], labels=str(tmp_path / "l.txt"))
