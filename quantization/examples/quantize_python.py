"""A template: quantize ResNet-50 from Python.

    python quantize_python.py

Set the two paths below, or the environment variables RN50_MODEL and DATA_LOCATION.
"""

from __future__ import annotations

import os
import shlex
import sys

import intel_quantization.graph_converter as converter
from intel_quantization.data.feeds import ImageFeed
from intel_quantization.errors import QuantizationError
from intel_quantization.reading.load import load_graph

_RN50_MODEL = os.environ.get("RN50_MODEL", "resnet50_fp32_pretrained_model.pb")
_DATA_LOC = os.environ.get("DATA_LOCATION", "dataset")


def rn50_callback_cmds() -> str:
    """The command that runs inference on a part of the data; leave ``--input_graph={}`` as it is."""
    return "%s accuracy.py --batch_size=50 --input_graph={} --data_location=%s --num_batches 10" % (
        shlex.quote(sys.executable),
        shlex.quote(_DATA_LOC),
    )


def by_command() -> converter.Conversion:
    """As with intel-quantization 1.1: an inference program of your own calibrates."""
    rn50 = converter.GraphConverter(_RN50_MODEL, None, ["input"], ["predict"])
    rn50.gen_calib_data_cmds = rn50_callback_cmds()
    return rn50.convert()


def by_images() -> converter.Conversion:
    """Without a program: a folder of images calibrates; inputs and outputs are found in the graph."""
    (image,) = load_graph(_RN50_MODEL).inputs
    feed = ImageFeed(_DATA_LOC, image, mode="vgg")
    return converter.GraphConverter(_RN50_MODEL, None, per_channel=True, calibration_data=feed, samples=100).convert()


if __name__ == "__main__":
    try:
        result = by_command() if os.path.exists("accuracy.py") else by_images()
    except QuantizationError as error:
        sys.exit("%s\n  %s" % (error.message, error.remedy))
    print("Converted graph file is saved to: %s" % result.output_graph)
