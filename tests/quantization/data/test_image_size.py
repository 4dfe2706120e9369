"""Images that are too large are refused by their headers, before TensorFlow allocates anything."""

from __future__ import annotations

import struct

import pytest
import tensorflow as tf

from intel_quantization.data.decode import Decoder
from intel_quantization.errors import BadInputError
from tests.fuzz import seeds

pytestmark = pytest.mark.tensorflow

JPEG_HEAD = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08" + struct.pack(">HH", 65500, 65500) + b"\x03" + bytes(20)


@pytest.fixture(name="decoder", scope="module")
def _decoder():
    return Decoder(3)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (seeds.gif(65535, 65535), "65535 x 65535 pixels, 2 pictures"),
        (seeds.gif(3000, 3000, 20), "3000 x 3000 pixels, 20 pictures"),
        (seeds.gif()[:13], None),
        (seeds.png(20000, 20000), "20000 x 20000 pixels"),
        (seeds.bmp()[:18] + struct.pack("<ii", 2**31 - 1, -(2**31)) + seeds.bmp()[26:], "2147483647 x 2147483648"),
        (JPEG_HEAD, "65500 x 65500 pixels"),
        (seeds.png()[:20], "ends in its header"),
        (seeds.gif()[:8], "ends in its header"),
        (seeds.bmp()[:20], "ends in its header"),
        (JPEG_HEAD[:14], "ends in its header"),
    ],
)
def test_refused(decoder, data, said):
    with pytest.raises(BadInputError, match=said or "cannot decode") as caught:
        decoder.read("large.img", None, data)
    assert "large.img" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(("make", "shape"), [("png", (4, 5)), ("bmp", (4, 4)), ("gif", (2, 2)), ("jpeg", (8, 6))])
def test_others_are_decoded(decoder, make, shape):
    assert decoder.read("small.img", None, getattr(seeds, make)()).shape == (*shape, 3)


@pytest.mark.parametrize("optimize", [True, False])
def test_progressive_jpeg_has_its_size_too(decoder, optimize):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        pixels = tf.zeros((9, 7, 3), tf.uint8)
        data = session.run(tf.io.encode_jpeg(pixels, progressive=optimize, optimize_size=optimize))
    assert decoder.read("small.img", None, data).shape == (9, 7, 3)
