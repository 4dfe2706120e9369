"""A SavedModel through TensorFlow's C API, as TensorFlow Serving loads and runs it; called from Python by ctypes."""

from __future__ import annotations

import ctypes
import glob
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

_FLOAT, _STRING = 1, 7
_LIBRARIES = ("libtensorflow_cc.so*", "libtensorflow_framework.so*", "python/_pywrap_tensorflow_internal.so")


class _Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class _Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("free", ctypes.c_void_p)]


def _function(name, result, *arguments):
    root = tf.sysconfig.get_lib()
    for pattern in _LIBRARIES:
        for path in sorted(glob.glob(os.path.join(root, pattern))):
            library = ctypes.CDLL(path)
            if hasattr(library, name):
                found = library[name]
                found.restype, found.argtypes = result, list(arguments)
                return found
    raise AssertionError("no library of TensorFlow's has " + name)


_P, _I, _Z = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t


class Serving:
    """A session on a SavedModel.

    Attributes:
        meta: its graph and signatures, as the C API gives them.
    """

    def __init__(self, folder: str, tag: str = "serve") -> None:
        self._status = _function("TF_NewStatus", _P)()
        self._graph = _function("TF_NewGraph", _P)()
        options = _function("TF_NewSessionOptions", _P)()
        buffer = _function("TF_NewBuffer", ctypes.POINTER(_Buffer))()
        tags = (ctypes.c_char_p * 1)(tag.encode())
        load = _function(
            "TF_LoadSessionFromSavedModel", _P, _P, _P, ctypes.c_char_p, _P, _I, _P, ctypes.POINTER(_Buffer), _P
        )
        self._session = load(options, None, folder.encode(), tags, 1, self._graph, buffer, self._status)
        self._check()
        data = ctypes.string_at(buffer.contents.data, buffer.contents.length)
        self.meta = meta_graph_pb2.MetaGraphDef.FromString(data)

    def run(self, signature: str, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """float32 arrays by the names of a signature -> its outputs."""
        definition = self.meta.signature_def[signature]
        keys = sorted(definition.outputs)
        inputs = (_Output * len(feed))(*(self._output(definition.inputs[key].name) for key in feed))
        outputs = (_Output * len(keys))(*(self._output(definition.outputs[key].name) for key in keys))
        given = (_P * len(feed))(*(self._tensor(value) for value in feed.values()))
        found = (_P * len(keys))()
        run = _function("TF_SessionRun", None, _P, _P, _P, _P, _I, _P, _P, _I, _P, _I, _P, _P)
        arguments = (None, inputs, given, len(feed), outputs, found, len(keys), None, 0, None)
        run(self._session, *arguments, self._status)
        self._check()
        return {key: self._array(tensor) for key, tensor in zip(keys, found)}

    def _output(self, tensor: str) -> _Output:
        node, _, index = tensor.partition(":")
        operation = _function("TF_GraphOperationByName", _P, _P, ctypes.c_char_p)(self._graph, node.encode())
        assert operation, tensor
        return _Output(operation, int(index or 0))

    @staticmethod
    def _tensor(value: np.ndarray) -> int:
        value = np.ascontiguousarray(value, np.float32)
        shape = (ctypes.c_int64 * value.ndim)(*value.shape)
        make = _function("TF_AllocateTensor", _P, _I, _P, _I, _Z)
        tensor = make(_FLOAT, shape, value.ndim, value.nbytes)
        ctypes.memmove(_function("TF_TensorData", _P, _P)(tensor), value.ctypes.data, value.nbytes)
        return tensor

    @staticmethod
    def _array(tensor: int) -> np.ndarray:
        assert _function("TF_TensorType", _I, _P)(tensor) == _FLOAT
        rank = _function("TF_NumDims", _I, _P)(tensor)
        size = _function("TF_Dim", ctypes.c_int64, _P, _I)
        shape = [size(tensor, axis) for axis in range(rank)]
        data = _function("TF_TensorData", _P, _P)(tensor)
        length = _function("TF_TensorByteSize", _Z, _P)(tensor)
        return np.frombuffer(ctypes.string_at(data, length), np.float32).reshape(shape)

    def _check(self) -> None:
        if _function("TF_GetCode", _I, _P)(self._status):
            raise RuntimeError(_function("TF_Message", ctypes.c_char_p, _P)(self._status).decode())
