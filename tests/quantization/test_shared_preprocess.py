"""Choosing the preprocessing of real networks from a few real images."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization import preprocess_choice
from intel_quantization.calibration.feeds import ImageFeed, layout_of
from intel_quantization.calibration.images import discover, shuffled
from intel_quantization.graph.interface import find_inputs, find_outputs
from intel_quantization.graph.io import read_graph
from intel_quantization.outputs import Labelling
from intel_quantization.runner import Runner
from tests.quantization.pictures import write

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def chosen(graph_file, folder, seed):
    graph = read_graph(str(graph_file))
    (tensor,) = find_inputs(graph)
    images = discover(str(folder))
    files = shuffled(images.files, seed)[: preprocess_choice.IMAGES]
    with Runner(graph, [info.name for info in find_outputs(graph)]) as runner:
        return preprocess_choice.choose_by_trying(
            runner,
            lambda mode: ImageFeed(None, tensor, mode, 8, files),
            layout_of(tensor),
            Labelling(len(images.classes)),
        )


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("resnet50_v1_5_ktb_fp32", "vgg"),
        ("mobilenet_v1_0.25_224_frozen", "tf"),
        ("mobilenet_v1_1.0_224_deq", "tf"),
        ("aiy_squeezenet_160res_5x5_0.75", "tf"),
    ],
)
def test_photos_without_labels(shared, name, mode):
    choice = chosen(shared / "models" / f"{name}.pb", shared / "images" / "imagenet_labelled_500", seed=0)
    assert (choice.mode, choice.certain) == (mode, True), choice.message


def test_small_pictures_with_labels(shared, tmp_path):
    with np.load(shared / "images" / "cifar10_test_2000.npz") as archive:
        pictures, labels = archive["images"][::10], archive["labels"][::10]
    for number, (picture, label) in enumerate(zip(pictures, labels)):
        write(tmp_path / str(int(label)) / f"{number:03d}.png", picture)
    choice = chosen(shared / "models" / "resnet8_cifar10_mlperf_tiny.pb", tmp_path, seed=0)
    assert (choice.mode, choice.certain) == ("none", True), choice.message
    assert "% right" in choice.message
