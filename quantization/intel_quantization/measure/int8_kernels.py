"""Whether the INT8 convolution of this TensorFlow runs on this CPU, tried in a process of its own.

MKL-DNN, as TensorFlow before 2.4 carries it, generates its INT8 code for the CPU it finds, and on some
CPUs fails to: it throws an exception that nobody catches, and the process aborts ("bad err=45 in Xbyak").
Its FP32 code works there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Sequence

import numpy as np

import intel_quantization

_FIRST_SAFE = (2, 4)
_SECONDS = 120
_WORKS = "INT8 works"


def obstacle(command: Sequence[str] = ()) -> str:
    """Why INT8 graphs cannot run here, in one phrase; empty where they can.

    Args:
        command: tries them; this module as a program unless given. It fails, dies, or says that it worked.
    """
    argv = list(command) or [sys.executable, "-m", "intel_quantization.measure.int8_kernels"]
    package = os.path.dirname(os.path.abspath(intel_quantization.__file__))
    paths = [os.path.dirname(package), os.environ.get("PYTHONPATH", "")]
    variables = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False, env=variables
        )
    except subprocess.TimeoutExpired:
        return "a tiny convolution took more than %d seconds" % _SECONDS
    if done.returncode == 0 and _WORKS.encode() in done.stdout:
        return ""
    return "a tiny convolution %s%s" % (_end(done.returncode), _last_words(done.stderr))


def may_fail(version: str) -> bool:
    """Whether a TensorFlow of this version (``2.1.0``) has an MKL-DNN that fails on some CPUs."""
    return tuple(int(part) for part in version.split(".")[:2]) < _FIRST_SAFE


def _end(status: int) -> str:
    if status >= 0:
        return "failed with status %d" % status
    try:
        return "was ended by %s" % signal.Signals(-status).name
    except ValueError:
        return "was ended by signal %d" % -status


def _last_words(text: bytes) -> str:
    """What MKL-DNN or TensorFlow said last, in brackets."""
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    said = [line.partition("what():")[2].strip() for line in lines if "what():" in line] or lines[-1:]
    return " (%s)" % said[-1][:200] if said else ""


def _try() -> None:
    """One QuantizedConv2D of a quint8 image [1, 4, 4, 4]."""
    import tensorflow as tf

    from intel_quantization.graph.session import run_graph

    with tf.Graph().as_default() as graph:
        image = tf.constant(np.zeros((1, 4, 4, 4), np.float32))
        source = tf.raw_ops.QuantizeV2(input=image, min_range=0.0, max_range=1.0, T=tf.quint8, mode="SCALED")
        weights = tf.constant(np.ones((3, 3, 4, 8), np.float32))
        kernel = tf.raw_ops.QuantizeV2(input=weights, min_range=-1.0, max_range=1.0, T=tf.qint8, mode="SCALED")
        tf.raw_ops.QuantizedConv2DWithBiasAndReluAndRequantize(
            input=source[0],
            filter=kernel[0],
            bias=tf.constant(np.zeros(8, np.float32)),
            min_input=source[1],
            max_input=source[2],
            min_filter=kernel[1],
            max_filter=kernel[2],
            min_freezed_output=0.0,
            max_freezed_output=1.0,
            strides=[1, 1, 1, 1],
            padding="SAME",
            out_type=tf.quint8,
            name="convolution",
        )
    run_graph(graph.as_graph_def(), {}, ["convolution:0"])
    print(_WORKS)


if __name__ == "__main__":
    _try()
