"""Choosing the preprocessing of real networks from a few real images without labels."""

from __future__ import annotations

import os
from functools import partial

import numpy as np
import pytest

from intel_quantization.choosing.preprocess_choice import Candidate, choose_for
from intel_quantization.data.dataset import Dataset
from intel_quantization.data.datasets import open_dataset
from intel_quantization.data.preprocess import Preprocessing
from intel_quantization.graph.io import read_graph
from intel_quantization.reading.interface import find_inputs, find_outputs
from tests.quantization.pictures import write

pytestmark = [pytest.mark.shared, pytest.mark.slow]

PHOTOS, COCO, LINES = "imagenet_labelled_500", "coco128_val", "textlines"
SURE = {
    "resnet50_v1_5_ktb_fp32": ("vgg", PHOTOS),
    "mobilenet_v1_0.25_224_frozen": ("tf", PHOTOS),
    "mobilenet_v1_1.0_224_deq": ("tf", PHOTOS),
    "aiy_squeezenet_160res_5x5_0.75": ("tf", PHOTOS),
    "efficientnet_lite0_224_fp32": ("tf", PHOTOS),
    "vww_96_frozen": ("unit", COCO),
    "human_facemesh": ("unit", COCO),
    "ssd_mobilenet_v1_0.75_300_coco_deq": ("none", COCO),
    "aiy_mobilenet_ssd_256res_0.125_person_cat_dog": ("none", COCO),
}
LIKELY = {"deeplabv3_mnv2_dm05_pascal_deq": ("tf", COCO), "ppocr_v4_rec": ("tf", LINES)}
"""Networks that do nearly the same under tf and unit: the mode is right, and may be called unsure."""


def choose(graph_file, folder, seed, samples=64):
    graph = read_graph(str(graph_file))
    inputs = find_inputs(graph)
    outputs = [info.name for info in find_outputs(graph)]
    data: Dataset = open_dataset(str(folder), inputs, samples, 0, seed)
    return choose_for(Candidate(graph, outputs, inputs, 1), data, Preprocessing(), None)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", sorted(SURE))
def test_sure_without_labels(shared, name, seed):
    mode, images = SURE[name]
    choice = choose(shared / "models" / f"{name}.pb", shared / "images" / images, seed)
    assert (choice.mode, choice.certain) == (mode, True), choice.message


@pytest.mark.parametrize("name", sorted(LIKELY))
def test_right_without_labels(shared, name):
    mode, images = LIKELY[name]
    choice = choose(shared / "models" / f"{name}.pb", shared / "images" / images, seed=0)
    assert choice.mode == mode, choice.message


@pytest.mark.parametrize("is_labelled", [True, False])
def test_small_pictures(shared, tmp_path, is_labelled):
    with np.load(shared / "images" / "cifar10_test_2000.npz") as archive:
        pictures, labels = archive["images"][::10], archive["labels"][::10]
    name = partial(os.path.join, str(tmp_path))
    for number, (picture, label) in enumerate(zip(pictures, labels)):
        folder = str(int(label)) if is_labelled else ""
        write(tmp_path / folder / f"{number:03d}.png", picture)
    choice = choose(shared / "models" / "resnet8_cifar10_mlperf_tiny.pb", name(), seed=0)
    assert choice.mode == "none", choice.message
    if is_labelled:
        assert choice.certain, choice.message
        assert "% right" in choice.message
