"""Labels that are boxes or maps of pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.data.datasets import open_dataset
from intel_quantization.data.images import Images, discover
from intel_quantization.data.truth import Boxes, Mask
from intel_quantization.data.truths import truth_of_record, with_boxes, with_masks
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo
from tests.quantization.pictures import encode, write

INPUTS = (TensorInfo("x:0", "Placeholder", "float32", (None, 8, 8, 3)),)
PIXELS = np.zeros((20, 10, 3), np.uint8)


def instances(names):
    return {
        "images": [{"id": 7 + n, "file_name": name, "width": 10, "height": 20} for n, name in enumerate(names)],
        "annotations": [
            {"id": 1, "image_id": 7, "bbox": [1, 4, 5, 10], "category_id": 18, "iscrowd": 1},
            {"id": 2, "image_id": 7, "bbox": [0, 0, 10, 20], "category_id": 3},
        ],
        "categories": [{"id": 18}, {"id": 3}],
    }


def with_box(**changes):
    data = instances(["a.png"])
    data["annotations"][0].update(changes)
    return json.dumps(data)


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c"):
        write(tmp_path / "images" / f"{name}.png", PIXELS)
    return tmp_path


def test_boxes_are_shares_of_the_image(folder):
    (folder / "boxes.json").write_text(json.dumps(instances(["a.png", "b.png"])))
    found = with_boxes(discover(str(folder / "images")), str(folder / "boxes.json"))
    assert [image.path.rsplit("/", 1)[-1] for image in found.files] == ["a.png", "b.png"]  # c is not labelled
    boxes = found.files[0].truth
    assert np.allclose(boxes.boxes, [[0.2, 0.1, 0.7, 0.6], [0, 0, 1, 1]])
    assert (boxes.classes.tolist(), boxes.crowd.tolist()) == ([18, 3], [True, False])
    assert found.files[1].truth.boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no json", "holds no boxes: Expecting value"),
        ("{}", "holds no boxes: something in it has, or is, no 'images'"),
        ("[]", "holds no boxes: it is built otherwise"),
        ('{"images": ' + "[" * 100_000, "holds no boxes: it is nested too deep"),
        (json.dumps(instances(["z.png"])), "names none of the images"),
        (with_box(category_id=10**30), "holds no boxes: a number in it is too large"),
        (with_box(category_id=float("inf")), "holds no boxes: a number in it is too large"),
        (with_box(bbox=[10**400, 0, 1, 1]), "holds no boxes: a number in it is too large"),
        (with_box(bbox=[float("nan"), 0, 1, 1]), "a box that is not finite"),
        (json.dumps(instances(["a.png"])).replace('"width": 10', '"width": 0'), "an image of 0 x 20 pixels"),
    ],
)
def test_what_is_no_file_of_boxes_is_refused(folder, text, why):
    (folder / "boxes.json").write_text(text)
    with pytest.raises(BadInputError, match=why):
        with_boxes(discover(str(folder / "images")), str(folder / "boxes.json"))
    with pytest.raises(BadInputError, match="cannot read"):
        with_boxes(discover(str(folder / "images")), str(folder / "none.json"))


def test_maps_are_found_by_name(folder):
    (folder / "maps").mkdir()
    np.save(folder / "maps" / "a.npy", np.full((20, 10), 3))
    (folder / "maps" / "c.png").write_bytes(encode("png", np.full((20, 10, 1), 4, np.uint8)))
    found = with_masks(discover(str(folder / "images")), str(folder / "maps"))
    assert [image.truth.resized((2, 2)).max() for image in found.files] == [3, 4]
    (folder / "empty").mkdir()
    with pytest.raises(BadInputError, match=r"no map of classes for a\.png"):
        with_masks(discover(str(folder / "images")), str(folder / "empty"))
    with pytest.raises(BadInputError, match="cannot read"):
        with_masks(Images(()), str(folder / "none"))


@pytest.mark.parametrize("kind", ["json", "maps", "coco"])
def test_a_dataset_has_them(folder, kind):
    labels, place = None, folder / "images"
    if kind == "json":
        labels = folder / "boxes.json"
        labels.write_text(json.dumps(instances(["a.png", "b.png", "c.png"])))
    elif kind == "maps":
        labels = folder / "maps"
        labels.mkdir()
        for name in "abc":
            np.save(labels / f"{name}.npy", np.zeros((20, 10), int))
    else:
        place = folder / "coco"
        (place / "annotations").mkdir(parents=True)
        (folder / "images").rename(place / "val2017")
        names = ["a.png", "b.png", "c.png"]
        (place / "annotations" / "instances_val2017.json").write_text(json.dumps(instances(names)))
        (place / "annotations" / "instances_train2017.json").write_text("no json")
    data = open_dataset(str(place), INPUTS, 1, labels=None if labels is None else str(labels))
    kinds = {type(image.truth) for image in data.split.evaluation}
    assert kinds == {Mask if kind == "maps" else Boxes}
    (batch, *_) = data.feed(data.split.evaluation, "none", 2).batches()
    assert all(image.truth is not None for image in batch.images)


def record(**features):
    kinds = {"float": "float_list", "int": "int64_list", "bytes": "bytes_list"}
    example = tf.train.Example()
    for key, (kind, values) in features.items():
        getattr(example.features.feature[key.replace("__", "/")], kinds[kind]).value.extend(values)
    return example.features.feature


def test_boxes_of_records():
    sides = {
        f"image__object__bbox__{side}": ("float", [0.25, value])
        for side, value in (("ymin", 0.0), ("xmin", 0.5), ("ymax", 0.75), ("xmax", 1.0))
    }
    labels = {"image__object__class__label": ("int", [3, 5])}
    found = truth_of_record(record(**sides, **labels))
    assert np.allclose(found.boxes, [[0.25] * 4, [0, 0.5, 0.75, 1.0]])
    assert (found.classes.tolist(), found.crowd.tolist()) == ([3, 5], [False, False])
    crowd = truth_of_record(record(**sides, **labels, image__object__is_crowd=("int", [0, 1])))
    assert crowd.crowd.tolist() == [False, True]
    assert truth_of_record(record(**sides)) is None
    assert truth_of_record(record(**sides, image__object__class__label=("int", [3]))) is None
    pixels = encode("png", np.full((4, 4, 1), 2, np.uint8))
    assert truth_of_record(record(image__segmentation__class__encoded=("bytes", [pixels]))).resized((4, 4)).max() == 2
