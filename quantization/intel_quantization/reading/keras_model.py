"""Keras files (``.keras``, ``.h5``), frozen: the model's call for inference becomes a graph without variables."""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import Any, List

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from intel_quantization.errors import BadInputError
from intel_quantization.graph.io import check_size
from intel_quantization.graph.session import first_line
from intel_quantization.reading.freeze_function import Frozen, freeze_function
from intel_quantization.reading.keras_check import check_keras

SUFFIXES = (".keras", ".h5", ".hdf5")
_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
_DAMAGE = (ArithmeticError, AssertionError, EOFError, zipfile.BadZipFile, zlib.error)
_UNKNOWN = (ValueError, TypeError, LookupError, AttributeError, OSError, RuntimeError, ImportError, tf.errors.OpError)
_FAILURES = (*_UNKNOWN, *_DAMAGE)


def freeze_keras(path: str) -> Frozen:
    """Read a whole model that Keras saved, and freeze it.

    Raises:
        BadInputError: it is no such file, holds only weights, has layers that this Keras does not know or that carry
            code, or has over 2 GB of weights.
    """
    _check_kind(path)
    check_keras(path)
    try:
        with context.eager_mode():
            model = tf.keras.models.load_model(path, compile=False)
            sizes = [int(np.prod(weight.shape)) * tf.as_dtype(weight.dtype).size for weight in model.weights]
            check_size(sum(sizes), "the weights of %s" % path)
            frozen = _freeze(model)
    except BadInputError:
        raise
    except _FAILURES as error:
        raise BadInputError(
            "Keras of TensorFlow %s cannot load %s: %s" % (tf.__version__, path, first_line(error)),
            "a file of weights alone is not enough; layers of one's own, or of another version, need a SavedModel",
        ) from error
    check_size(int(frozen.graph_def.ByteSize()), path)
    return frozen


def _check_kind(path: str) -> None:
    try:
        with open(path, "rb") as file:
            head = file.read(len(_HDF5))
    except OSError as error:
        raise BadInputError("cannot read %s: %s" % (path, error.strerror or error)) from error
    if not head.startswith((_HDF5, _ZIP)):
        raise BadInputError("%s is no Keras file" % path, "give what model.save() wrote, or a SavedModel folder")


def _freeze(model: Any) -> Frozen:
    inputs = tf.nest.flatten(model.inputs)
    names = [_strip_output(tensor.name) for tensor in inputs]
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name) for tensor, name in zip(inputs, names)]

    def call(*values: Any) -> Any:
        return model(values[0] if len(values) == 1 else list(values), training=False)

    function = tf.function(call).get_concrete_function(*specs)
    return freeze_function(function, names, _output_names(model, len(function.outputs)))


def _output_names(model: Any, count: int) -> List[str]:
    names = [_strip_output(name) for name in getattr(model, "output_names", None) or ()]
    if len(set(names)) != count:
        names = ["output_%d" % number for number in range(count)]
    return names


def _strip_output(name: str) -> str:
    """A name that a node may have."""
    plain = re.sub(r"[^A-Za-z0-9_.]", "_", name.partition(":")[0])
    return plain if re.match(r"[A-Za-z0-9.]", plain) else "input" + plain
