"""Names with a meaning on both sides."""

from __future__ import annotations

STAGES = ("read", "optimize", "calibrate", "quantize", "verify", "measure")
"""Of a job, in order; each is announced by an event."""

TUNE = "tune"
"""The stage that --tune adds."""

QUANTIZE, EVALUATE, BENCHMARK, COMPARE = TASKS = ("quantize", "evaluate", "benchmark", "compare")
"""What a job does with its graph; the first is the plain call."""

ALGORITHMS = ("AUTO", "DIRECT", "MA", "KL", "PERCENTILE", "MSE")
"""How activation ranges come from calibration statistics; the first is the default."""

PB, SAVED_MODEL = FORMS = ("pb", "saved_model")
"""What the INT8 graph is written as: a frozen graph, or the folder of a SavedModel."""

NO_DATA = "none"
"""For ``--data``: nothing to calibrate on."""

DATA_FORMATS = {
    "images": "a folder of images (class folders give labels)",
    "tfrecords": "TFRecords",
    "arrays": ".npy or .npz",
}
"""What --data_location takes, in words; each is a module of ``data/formats/``, and they are asked in this order."""

PREPROCESSINGS = ("tf", "caffe", "torch", "vgg", "unit", "none")
CHANNEL_ORDERS = ("rgb", "bgr")

TARGET_CPUS = ("any", "vnni")
"""``any``: right on every x86-64 CPU; ``vnni``: with AVX512-VNNI, AVX-VNNI or AMX only, silently wrong on others."""

AUTO = "auto"
TRIED = ("docker", "local")
"""What ``auto`` tries, in this order: docker where an engine answers, else local."""

RUNTIMES = (AUTO, *TRIED, "bwrap")
"""Where a job runs; ``bwrap``: local, but only walled in, so never what ``auto`` falls back to.

Each but ``auto`` is a folder of ``launcher/runtimes/``.
"""

IMAGE_ACTIONS = ("save",)
"""What ``image`` does."""

SHELLS = ("bash", "zsh", "fish")
"""Shells that options can be completed in."""

DEFAULT_TENSORFLOW = "2.14"
"""The TensorFlow variant; one names ``image/requirements/tensorflow-<variant>.txt``."""

DEFAULT_MODEL = "resnet50"
"""What --models_zoo without --model_name means, as in intel-quantization 1.1."""

WORKSPACE = "/workspace"
"""The folder that a job's paths are relative to, as a container has it."""
