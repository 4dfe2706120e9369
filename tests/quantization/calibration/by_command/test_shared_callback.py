"""A real graph calibrated by images and by a command gives the same ranges."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from intel_quantization.calibration.ranges.collectors import COLLECTORS
from intel_quantization.data.feeds import ImageFeed, image_input
from intel_quantization.data.images import discover
from intel_quantization.graph.io import read_graph
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.reading.interface import find_inputs

pytestmark = [pytest.mark.tensorflow, pytest.mark.shared]

TOLERANCE = 1e-5
"""Of a range, relative to the tensor's largest value."""

INFER = """
import sys
import numpy as np
import tensorflow as tf
from tensorflow.python.tools.optimize_for_inference_lib import optimize_for_inference
tf1 = tf.compat.v1
graph_def = tf1.GraphDef.FromString(open(sys.argv[1], "rb").read())
name = "MobilenetV1/Predictions/Reshape_1"
graph_def = optimize_for_inference(graph_def, ["input"], [name], tf.float32.as_datatype_enum)
with tf.Graph().as_default() as graph:
    tf1.import_graph_def(graph_def, name="zoo")
with tf1.Session(graph=graph) as session:
    for images in np.load(sys.argv[2]):
        session.run("zoo/%s:0" % name, {"zoo/input:0": images})
"""


def test_ranges_by_images_and_by_a_command(shared, tmp_path):
    graph = read_graph(str(shared / "models" / "mobilenet_v1_0.25_224_frozen.pb"))
    tensor, _ = image_input(find_inputs(graph))
    files = discover(str(shared / "images" / "imagenet_labelled_500")).files[:4]
    feed = list(ImageFeed(None, tensor, "tf", 1, files))
    np.save(tmp_path / "images.npy", np.stack([batch[tensor.name] for batch in feed]))
    (tmp_path / "infer.py").write_text(INFER)

    by_images = GraphConverter(graph, calibration_data=feed).convert()
    converter = GraphConverter(graph)
    converter.gen_calib_data_cmds = f"{sys.executable} {tmp_path}/infer.py {{}} {tmp_path}/images.npy"
    by_command = converter.convert()

    assert by_command.statistics.samples == by_images.statistics.samples == 4
    assert by_command.decisions == by_images.decisions
    for name, wanted in by_images.statistics.tensors.items():
        given = by_command.statistics.tensors[name]
        assert (given.count, given.shape) == (wanted.count, wanted.shape)
        limit = TOLERANCE * max(-wanted.minimum, wanted.maximum)
        for algorithm, ranges in COLLECTORS.items():
            assert ranges(name, given) == pytest.approx(ranges(name, wanted), abs=limit), (name, algorithm)
