"""Preprocessing: Keras' own numbers, TF-slim's vgg, and choosing one by trying."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.data import preprocess
from intel_quantization.data.preprocess import CUSTOM, Preprocessing
from intel_quantization.data.resizing import parse_resizing
from intel_quantization.errors import BadInputError

PIXELS = np.random.RandomState(0).randint(0, 256, (2, 5, 4, 3)).astype(np.float32)


@pytest.mark.parametrize("mode", ["tf", "caffe", "torch"])
def test_as_keras_does_it(mode):
    expected = tf.keras.applications.imagenet_utils.preprocess_input(PIXELS.copy(), "channels_last", mode)
    result = preprocess.apply(mode, PIXELS)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)


def test_vgg_and_none():
    np.testing.assert_allclose(preprocess.apply("vgg", PIXELS), PIXELS - [123.68, 116.78, 103.94], atol=1e-4)
    np.testing.assert_array_equal(preprocess.apply("none", PIXELS), PIXELS)


def test_the_pixels_are_not_changed_in_place():
    before = PIXELS.copy()
    for mode in preprocess.MODES:
        preprocess.apply(mode, PIXELS)
    np.testing.assert_array_equal(PIXELS, before)


def test_unit():
    np.testing.assert_allclose(preprocess.apply("unit", PIXELS), PIXELS / 255, rtol=1e-6)


def test_numbers_of_ones_own():
    own = Preprocessing(CUSTOM, scale=(2.0,), mean=(1.0, 2.0, 3.0), std=(4.0,))
    np.testing.assert_allclose(preprocess.apply(own, PIXELS), (PIXELS * 2 - [1, 2, 3]) / 4, rtol=1e-6)
    as_tf = Preprocessing(CUSTOM, mean=(127.5,), std=(127.5,))
    np.testing.assert_allclose(preprocess.apply(as_tf, PIXELS), preprocess.apply("tf", PIXELS), atol=1e-6)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    as_torch = Preprocessing(CUSTOM, scale=(1 / 255,), mean=mean, std=std)
    np.testing.assert_allclose(preprocess.apply(as_torch, PIXELS), preprocess.apply("torch", PIXELS), atol=2e-6)
    as_caffe = Preprocessing(CUSTOM, "bgr", mean=(103.939, 116.779, 123.68))
    np.testing.assert_allclose(preprocess.apply(as_caffe, PIXELS), preprocess.apply("caffe", PIXELS), atol=2e-5)


def test_the_numbers_of_a_mode_stay_with_their_colours():
    for mode in ("tf", "torch", "vgg", "unit", "none"):
        turned = preprocess.apply(Preprocessing(mode, "bgr"), PIXELS)
        np.testing.assert_array_equal(turned, preprocess.apply(mode, PIXELS)[..., ::-1])
        np.testing.assert_array_equal(
            preprocess.apply(Preprocessing(mode, "rgb"), PIXELS), preprocess.apply(mode, PIXELS)
        )
    caffe = preprocess.apply("caffe", PIXELS)
    np.testing.assert_array_equal(preprocess.apply(Preprocessing("caffe", "bgr"), PIXELS), caffe)
    np.testing.assert_array_equal(preprocess.apply(Preprocessing("caffe", "rgb"), PIXELS), caffe[..., ::-1])


def test_what_an_input_can_take():
    for dtype in ("uint8", "int32", "int64"):
        assert preprocess.modes_for(dtype, 3) == ("none",)
    assert preprocess.modes_for("float32", 1) == ("tf", "unit", "none")
    assert preprocess.modes_for("float32", 3) == preprocess.MODES
    preprocess.check("vgg", "float32", 3)
    preprocess.check(Preprocessing("none", "bgr"), "uint8", 3)
    preprocess.check(Preprocessing(CUSTOM, mean=(1.0,)), "float32", 1)
    with pytest.raises(BadInputError, match="'torch' does not fit"):
        preprocess.check("torch", "float32", 1)


@pytest.mark.parametrize(
    ("wanted", "dtype", "channels", "said"),
    [
        (Preprocessing(CUSTOM, mean=(1.0, 2.0, 3.0)), "float32", 1, "--mean has 3 numbers"),
        (Preprocessing(CUSTOM, std=(2.0,)), "uint8", 3, "raw uint8 pixels"),
        (Preprocessing("none", "bgr"), "float32", 1, "--channel_order bgr"),
        (Preprocessing("unit"), "int32", 3, "raw int32 pixels"),
    ],
)
def test_what_does_not_fit_is_explained(wanted, dtype, channels, said):
    with pytest.raises(BadInputError, match=said) as error:
        preprocess.check(wanted, dtype, channels)
    assert error.value.remedy


def test_it_says_what_it_does():
    assert str(Preprocessing("tf")) == "tf"
    own = Preprocessing(CUSTOM, "bgr", mean=(1.0, 2.5, 3.0), resizing=parse_resizing("pad:114"))
    assert str(own) == "custom ((pixels * 1 - [1,2.5,3]) / 1), channels bgr, resize pad:114"
    assert own.details()["mean"] == [1.0, 2.5, 3.0]
    assert Preprocessing("caffe").details() == {"channel_order": "bgr", "resize": "stretch"}
