"""The samples on which two graphs differ most, and their pictures."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.data.images import Image
from intel_quantization.data.thumbnail import SIDE, Thumbnails, as_pixels
from intel_quantization.measure.differing import MOST, Differing


def scores(best, sure, count=4):
    """Class scores of samples whose best classes are these."""
    rows = np.full((len(best), count), (1 - sure) / (count - 1), np.float32)
    rows[np.arange(len(best)), best] = sure
    return rows


def test_other_answers_come_first_then_noise():
    differing = Differing()
    fp32 = scores([0, 1, 2, 3], 0.7)
    int8 = fp32.copy()
    int8[2] = scores([1], 0.7)[0]
    int8[0, 0] += 0.1
    int8[3, 3] += 0.2
    images = [Image(f"/data/{number}.png", number) for number in range(4)]
    differing.add([fp32], [int8], images, {"x:0": np.zeros((4, 2))}, 4)
    found = differing.finish()
    assert [each.name for each in found] == ["2.png", "3.png", "0.png"]  # what is the same is left out
    assert (found[0].other, found[1].other) == (True, False)
    assert (found[0].fp32, found[0].int8, found[0].label) == ("2 (0.70)", "1 (0.70)", 2)
    assert found[1].noise == pytest.approx(0.04 / np.square(fp32[3]).sum(), rel=1e-5)
    assert found[0].jpeg is None


def test_only_so_many_are_kept_and_of_equals_the_first():
    differing = Differing()
    for start in range(0, 40, 5):
        wanted = np.ones((5, 3), np.float32)
        given = wanted + (0.5 if start == 35 else 0.1)
        images = [Image(str(start + number)) for number in range(5)]
        differing.add([wanted], [given], images, {}, 5)
    found = [each.name for each in differing.finish()]
    assert len(found) == MOST
    assert found == ["35", "36", "37", "38", "39", "0", "1", "2", "3", "4"]


def test_rows_that_fill_a_batch_up_are_no_samples():
    differing = Differing()
    wanted = np.ones((4, 3), np.float32)
    differing.add([wanted], [wanted * 2], [Image("only")], {}, 4)
    assert [each.name for each in differing.finish()] == ["only"]


def test_outputs_of_other_shapes_and_texts_count_not():
    differing = Differing()
    one, two = np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)
    words = np.array([b"a", b"b"], object)
    differing.add([one, words], [two, words], [Image("a"), Image("b")], {}, 2)
    assert differing.finish() == ()


def test_a_picture_is_of_what_was_fed():
    rows = np.zeros((2, 40, 60, 3), np.float32)
    rows[1, :, 30:, 0] = 2.0  # red at the right
    with Thumbnails() as thumbnails:
        differing = Differing(thumbnails)
        flipped = Differing(thumbnails, flipped=True)
        for each in (differing, flipped):
            wanted = np.ones((2, 3), np.float32)
            each.add([wanted], [wanted + [[0], [1]]], [Image("a"), Image("b")], {"flag:0": False, "x:0": rows}, 2)
    (found,) = differing.finish()
    (other,) = flipped.finish()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        pixels, blue = session.run([tf.io.decode_jpeg(found.jpeg), tf.io.decode_jpeg(other.jpeg)])
    assert pixels.shape == (40, 60, 3)
    assert pixels[20, 50, 0] > 200 > pixels[20, 10, 0]
    assert pixels[20, 50, 2] < 60
    assert blue[20, 50, 2] > 200


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((300, 200, 3), (75, 50, 3)),
        ((3, 50, 40), (50, 40, 3)),
        ((96, 96, 1), (96, 96, 1)),
        ((49, 10), None),
        ((16, 16, 16), None),
        ((1, 48, 3), None),
    ],
)
def test_what_is_a_picture(shape, wanted):
    values = np.random.RandomState(0).normal(size=shape).astype(np.float32)
    found = as_pixels(values)
    assert (None if found is None else found.shape) == wanted
    if found is not None:
        assert max(found.shape[:2]) <= SIDE
        assert (found.min(), found.max()) == (0, 255)


def test_texts_and_constant_values():
    assert as_pixels(np.full((8, 8, 3), b"x", object)) is None
    assert as_pixels(np.full((8, 8, 3), 7, np.uint8)).max() == 0
