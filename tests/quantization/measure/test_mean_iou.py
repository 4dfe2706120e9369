"""Mean IoU of pixels' classes, and the maps of labels that it reads."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from intel_quantization.comparison.class_map import INTEGERS, MASK, ClassMap
from intel_quantization.data.images import Image
from intel_quantization.data.truth import Mask, indices_as_gray
from intel_quantization.errors import BadInputError
from intel_quantization.measure.mean_iou import MeanIoU
from tests.quantization.pictures import encode


def by_hand(labels, answers):
    known = labels != 255
    labels, answers = labels[known], answers[known]
    shares = []
    for which in np.unique(labels):
        both = ((labels == which) & (answers == which)).sum()
        shares.append(both / ((labels == which) | (answers == which)).sum())
    return 100 * np.mean(shares)


def drawn(seed, images=10):
    rng = np.random.RandomState(seed)
    labels = rng.randint(0, 4, (images, 8, 8))
    labels[:, 0, :3] = 255
    before = np.where(rng.uniform(size=labels.shape) < 0.8, labels, rng.randint(0, 5, labels.shape))
    after = np.where(rng.uniform(size=labels.shape) < 0.9, before, rng.randint(0, 5, labels.shape))
    return labels, np.where(before == 255, 0, before), np.where(after == 255, 0, after)


def scores_of(answers, axis):
    rows = np.eye(5, dtype=np.float32)[answers]
    return rows if axis == 3 else np.moveaxis(rows, 3, 1)


@pytest.mark.parametrize("axis", [INTEGERS, 1, 3])
def test_it_is_that_of_the_whole_set(axis):
    labels, before, after = drawn(0)
    measure = MeanIoU(0, ClassMap("x", axis))
    for start in (0, 5):
        some = slice(start, start + 5)
        pair = [each[some] if axis is INTEGERS else scores_of(each[some], axis) for each in (before, after)]
        measure.add(*([each] for each in pair), [Image("x", truth=Mask(row)) for row in labels[some]])
    result = measure.finish()
    assert result.fp32 == pytest.approx(by_hand(labels, before))
    assert result.int8 == pytest.approx(by_hand(labels, after))
    assert result.low < result.points < result.high
    assert (result.metric, result.samples) == ("mean IoU", 10)


def test_one_score_for_each_pixel():
    labels = np.zeros((1, 8, 8), int)
    labels[0, :4] = 1
    scores = labels[..., np.newaxis].astype(np.float32)
    measure = MeanIoU(0, ClassMap("x", MASK))
    measure.add([scores], [scores * 0.4], [Image("x", truth=Mask(labels[0]))])
    result = measure.finish()
    assert (result.fp32, result.int8) == (100.0, pytest.approx(25.0))


def test_labels_are_brought_to_the_size_of_the_answers():
    labels = np.kron(np.array([[1, 2], [3, 0]]), np.ones((6, 10), int))
    assert np.array_equal(Mask(labels).resized((2, 2)), [[1, 2], [3, 0]])
    assert Mask(labels).resized((24, 5)).shape == (24, 5)


def test_no_labels_no_figure():
    measure = MeanIoU(0, ClassMap("x", INTEGERS))
    measure.add([np.zeros((1, 8, 8), int)], [np.zeros((1, 8, 8), int)], [Image("x")])
    assert measure.finish() is None


def palette_png(indices, bits=8):
    height, width = indices.shape
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in indices)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, 3, 0, 0, 0)
    colours = np.random.RandomState(0).randint(0, 256, 768).astype(np.uint8).tobytes()
    parts = [chunk(b"IHDR", header), chunk(b"PLTE", colours), chunk(b"tRNS", b"\x80" * 9)]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")])


def test_of_a_palette_the_indices_count(tmp_path):
    indices = np.arange(64).reshape(8, 8)
    path = tmp_path / "a.png"
    path.write_bytes(palette_png(indices))
    assert np.array_equal(Mask(str(path)).resized((8, 8)), indices)
    assert np.array_equal(Mask(palette_png(indices)).resized((8, 8)), indices)
    gray = encode("png", indices[..., np.newaxis].astype(np.uint8))
    assert np.array_equal(Mask(gray).resized((8, 8)), indices)
    np.save(tmp_path / "a.npy", indices)
    assert np.array_equal(Mask(str(tmp_path / "a.npy")).resized((8, 8)), indices)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (lambda: palette_png(np.zeros((4, 4)), bits=4), "4 bits"),
        (lambda: encode("png", np.zeros((4, 4, 3), np.uint8)), "several channels"),
        (lambda: b"nonsense", "labels of pixels of a record"),
        (lambda: palette_png(np.zeros((4, 4)))[:60], "labels of pixels of a record"),
    ],
)
def test_what_is_no_map_is_refused(data, why):
    with pytest.raises(BadInputError, match=why):
        Mask(data()).resized((4, 4))


def test_floats_are_no_classes():
    with pytest.raises(BadInputError, match="labels of pixels are float64"):
        Mask(np.zeros((4, 4))).resized((4, 4))


def npy(shape, data=b"", descr="<i8"):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (npy("(4, 4)", np.full(16, -1, "<i8").tobytes()), "go from -1 to -1"),
        (npy("(4, 4)", np.full(16, 1 << 60, "<i8").tobytes()), "go from 1152921504606846976"),
        (npy("(4, 0)"), "are of no pixels"),
        (npy("(1000000, 1000000)"), "cannot read"),
        (npy("(100000000000000000000000000000, 4)"), "cannot read"),
        (npy("(4, 4", np.zeros(16, "<i8").tobytes()), "cannot read"),
        (npy("(4, 4)", np.zeros(16, "<i8").tobytes(), "<i8' +"), "cannot read"),
        (npy("(1,)", b"x" * 99, "|O"), "cannot read"),
    ],
)
def test_a_file_of_numbers_that_are_no_classes(tmp_path, data, why):
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(BadInputError, match=why) as caught:
        Mask(str(path)).resized((4, 4))
    assert str(path) in caught.value.message


def test_a_gray_png_is_left_as_it_is():
    gray = encode("png", np.zeros((4, 4, 1), np.uint8))
    assert indices_as_gray(gray) == gray
