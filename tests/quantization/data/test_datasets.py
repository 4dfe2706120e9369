"""Which kind of data a path holds."""

from __future__ import annotations

import pkgutil

import numpy as np
import pytest

from intel_quantization.contract.words import DATA_FORMATS
from intel_quantization.data import datasets, formats
from intel_quantization.data.datasets import load_formats, open_dataset
from intel_quantization.data.formats.data_format import DataFormat
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo
from tests.quantization.pictures import encode, plain, write, write_records

pytestmark = pytest.mark.tensorflow

INPUTS = [TensorInfo("x:0", "x", "float32", (None, 8, 8, 3))]


def pictures(folder, *names):
    for number, name in enumerate(names):
        write(folder / name, plain(number))


def labels(part):
    return sorted(image.label for image in part)


def test_class_folders(tmp_path):
    pictures(tmp_path, "ape/1.png", "bee/2.png")
    data = open_dataset(str(tmp_path), INPUTS, 1, 1)
    assert (data.what, data.labelling.classes, data.labelling.numbered) == ("2 images in 2 class folders", 2, False)


def test_a_flat_folder_with_labels(tmp_path):
    pictures(tmp_path / "data", "a.png", "b.png", "c.png", "more/d.png")
    (tmp_path / "l.txt").write_text("a.png 5\nb.png 6\nc.png 7\n")
    data = open_dataset(str(tmp_path / "data"), INPUTS, 1, 2, labels=str(tmp_path / "l.txt"))
    assert data.what == "3 images with labels of l.txt"
    assert labels((*data.split.calibration, *data.split.evaluation)) == [5, 6, 7]
    assert data.labelling.numbered
    assert data.warnings == ("1 sub-folders are ignored, as there are images beside them",)


def test_coco(tmp_path):
    pictures(tmp_path, "val2017/1.png", "val2017/2.png", "train2017/3.png")
    (tmp_path / "annotations").mkdir()
    pictures(tmp_path, "annotations/panoptic.png")
    assert open_dataset(str(tmp_path), INPUTS).labelling.classes == 3
    (tmp_path / "annotations" / "instances_val2017.json").write_text("{}")
    data = open_dataset(str(tmp_path), INPUTS)
    assert (data.what, data.labelling.classes) == ("2 images in a flat folder", 0)
    (tmp_path / "val2017" / "instances.json").write_text("{}")
    assert open_dataset(str(tmp_path / "val2017"), INPUTS).total == 2


def test_records(tmp_path):
    for name in ("train-00000-of-00001", "validation-00000-of-00002", "validation-00001-of-00002"):
        write_records(str(tmp_path / name), [(encode("png", plain(1)), 1)] * 3)
    (tmp_path / "labels.txt").write_text("ape")
    data = open_dataset(str(tmp_path), INPUTS, 2, 2)
    assert data.what == f"6 images in TFRecords, {tmp_path} (2 files)"
    one = open_dataset(str(tmp_path / "train-00000-of-00001"), INPUTS)
    assert one.what == f"3 images in TFRecords, {tmp_path}/train-00000-of-00001"
    assert len(next(iter(one.feed(one.split.calibration, "tf")))["x:0"]) == 1
    (tmp_path / "train-00000-of-00001").rename(tmp_path / "data.bin")
    assert open_dataset(str(tmp_path / "data.bin"), INPUTS).total == 3
    pictures(tmp_path / "both", "a.png")
    write_records(str(tmp_path / "both" / "a.tfrecord"), [(encode("png", plain(1)), 1)])
    assert open_dataset(str(tmp_path / "both"), INPUTS).what == "1 images in a flat folder"
    with pytest.raises(BadInputError, match="TFRecords have their own"):
        open_dataset(str(tmp_path), INPUTS, labels="l.txt")


def test_arrays(tmp_path):
    values = np.zeros((4, 8, 8, 3), np.float32)
    np.save(str(tmp_path / "x.npy"), values)
    np.savez(str(tmp_path / "more.npz"), labels=np.arange(4))
    assert open_dataset(str(tmp_path), INPUTS).labelling.numbered
    data = open_dataset(str(tmp_path / "x.npy"), INPUTS)
    assert (data.total, data.labelling.numbered) == (4, False)
    pictures(tmp_path, "a.png")
    assert open_dataset(str(tmp_path), INPUTS).what == "1 images in a flat folder"


@pytest.mark.parametrize("name", ["a.csv", "notes", "a.png"])
def test_other_files(tmp_path, name):
    (tmp_path / name).write_text("some text that is long enough for a header")
    with pytest.raises(BadInputError, match=name) as caught:
        open_dataset(str(tmp_path / name), INPUTS)
    assert "--data_location" in caught.value.remedy


def test_an_empty_folder(tmp_path):
    with pytest.raises(BadInputError, match="no images in"):
        open_dataset(str(tmp_path), INPUTS)


def test_each_format_is_a_file_and_a_row():
    files = {module.name for module in pkgutil.iter_modules(formats.__path__)} - {"data_format"}
    assert files == set(DATA_FORMATS)
    assert all(isinstance(known, DataFormat) for known in load_formats())


def test_a_format_opens_what_it_finds(tmp_path, monkeypatch):
    """Whatever a format finds is its own: the first one that finds something is handed just that."""

    class Words(DataFormat):
        def find(self, path):
            return (path + "/first",) if path.endswith("words") else ()

        def open(self, found, wanted):
            return found, wanted

    monkeypatch.setattr(datasets, "load_formats", lambda: [*load_formats(), Words()])
    (tmp_path / "words").mkdir()
    found, wanted = open_dataset(str(tmp_path / "words"), INPUTS, 3, 4, 5, "l.txt")
    assert found == (str(tmp_path / "words" / "first"),)
    assert (wanted.inputs, wanted.samples, wanted.evaluate, wanted.seed, wanted.labels) == (INPUTS, 3, 4, 5, "l.txt")
    pictures(tmp_path / "words", "a.png")
    assert open_dataset(str(tmp_path / "words"), INPUTS).total == 1
