"""TFRecords of images: which are drawn, what they hold, and what is wrong with them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.data.feeds import ImageFeed
from intel_quantization.data.tfrecords import RecordImages, holds_records, is_record_name, split_records
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo
from tests.quantization.pictures import encode, plain, write_records

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def shards(tmp_path):
    """Three files of four pictures each, whose shade and label are their number."""
    paths = []
    for shard in range(3):
        path = str(tmp_path / ("validation-%05d-of-00003" % shard))
        numbers = range(4 * shard, 4 * shard + 4)
        write_records(path, [(encode("png", plain(number)), number) for number in numbers])
        paths.append(path)
    return tuple(paths)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("validation-00000-of-00128", True),
        ("train-00000-of-01024", True),
        ("a.tfrecord", True),
        ("a.tfrecords.gz", True),
        ("coco_val.record-00000-of-00001", True),
        ("coco_val.record", True),
        ("a.TFRecord", True),
        ("records.png", False),
        ("recordings.txt", False),
        ("coco.record.txt", False),
        ("train-00000-of-00002.gz", True),
        ("train-00000-of-00002.json", False),
        ("a.npz", False),
    ],
)
def test_names(name, expected):
    assert is_record_name(name) is expected


def test_both_parts_are_disjoint_and_drawn_by_the_seed(shards):
    total, split = split_records(shards, 5, 6, seed=1)
    labels = [[image.label for image in part] for part in (split.calibration, split.evaluation)]
    assert total == 12
    assert [len(split.calibration), len(split.evaluation)] == [len(part) for part in labels] == [5, 6]
    assert len(set(labels[0] + labels[1])) == 11
    again = split_records(shards, 5, 6, seed=1)[1]
    assert [image.label for image in again.calibration] == labels[0]
    assert [image.label for image in split_records(shards, 5, 6, seed=2)[1].calibration] != labels[0]


def test_by_default_half_calibrates(shards):
    split = split_records(shards)[1]
    assert (len(split.calibration), len(split.evaluation)) == (6, 6)


def test_no_more_files_are_opened_than_needed(shards, tmp_path):
    (tmp_path / "validation-00001-of-00003").write_bytes(b"no record")
    for seed in range(20):
        try:
            total = split_records(shards, 1, 0, seed)[0]
        except BadInputError:
            continue
        assert total == 4
        return
    raise AssertionError("the damaged file was read each time")


def test_a_slice_is_its_beginning(shards):
    whole = RecordImages(shards, ((0, 1), (0, 3), (2, 0)))
    assert [image.label for image in whole[:2]] == [1, 3]
    assert len(whole[:2]) == 2
    assert [image.label for image in whole] == [1, 3, 8]


def test_pixels_and_names(shards):
    tensor = TensorInfo("x:0", "x", "float32", (None, 8, 8, 3))
    (batch,) = ImageFeed(None, tensor, "none", 4, RecordImages(shards, ((0, 2), (1, 1)))).batches()
    assert batch.feed["x:0"].shape == (2, 8, 8, 3)
    assert [batch.feed["x:0"][index].max() for index in (0, 1)] == [2, 5]
    assert [image.label for image in batch.images] == [2, 5]
    assert batch.images[0].path == "record 2 of " + shards[0]


def test_compressed_files(tmp_path):
    path = str(tmp_path / "a.tfrecord.gz")
    write_records(path, [(encode("png", plain(number)), number) for number in range(4)], "GZIP")
    total, split = split_records((path,), 2, 2)
    assert total == 4
    assert len({image.label for image in (*split.calibration, *split.evaluation)}) == 4
    assert holds_records(path)


def test_detection_records_have_no_label(tmp_path):
    path = str(tmp_path / "coco_val.record")
    write_records(path, [(encode("jpeg", plain(5)), None)])
    (image,) = RecordImages((path,), ((0, 0),))
    assert image.label is None


def features(**values):
    return tf.train.Example(features=tf.train.Features(feature=values)).SerializeToString()


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"\xff\xff\xff", "no tf.train.Example"),
        (features(), "has no 'image/encoded'; it has nothing"),
        (features(height=tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))), "it has height"),
    ],
)
def test_records_without_an_image(tmp_path, record, said):
    path = str(tmp_path / "a.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(record)
    with pytest.raises(BadInputError, match=r"record 0 of .*a\.tfrecord") as caught:
        list(RecordImages((path,), ((0, 0),)))
    assert said in caught.value.message


def test_a_broken_image_is_named(tmp_path):
    path = str(tmp_path / "a.tfrecord")
    write_records(path, [(encode("png", plain(1)), 0), (b"GIF no more", 1)])
    tensor = TensorInfo("x:0", "x", "float32", (None, 8, 8, 3))
    with pytest.raises(BadInputError, match=r"record 1 of .*a\.tfrecord"):
        list(ImageFeed(None, tensor, "none", 4, RecordImages((path,), ((0, 0), (0, 1)))))


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: data + b"abc", lambda data: b"x" * 40])
def test_damaged_files(shards, damage):
    with open(shards[0], "rb") as stream:
        data = stream.read()
    with open(shards[0], "wb") as stream:
        stream.write(damage(data))
    with pytest.raises(BadInputError, match="validation-00000-of-00003 is no TFRecord file, or is damaged"):
        split_records(shards[:1], 2, 2)


def test_a_wrong_checksum(shards):
    with open(shards[0], "r+b") as stream:
        stream.seek(40)
        stream.write(b"\0\0\0\0")
    with pytest.raises(BadInputError, match=r"validation-00000-of-00003 .* at record 0"):
        list(split_records(shards[:1], 4, 0)[1].calibration)


def test_no_records(tmp_path):
    (tmp_path / "a.tfrecord").touch()
    with pytest.raises(BadInputError, match="no records"):
        split_records((str(tmp_path / "a.tfrecord"),))
    with pytest.raises(BadInputError, match="cannot read"):
        split_records((str(tmp_path / "none.tfrecord"),))
    assert not holds_records(str(tmp_path / "a.tfrecord"))
    (tmp_path / "b.bin").write_bytes(np.arange(100).tobytes())
    assert not holds_records(str(tmp_path / "b.bin"))
