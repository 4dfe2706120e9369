"""What a Keras file may not hold: layers that carry code, and names of things to call or to read while it is loaded.

Keras has a safe mode for ``.keras`` only, and ways around it: a config names modules to import, symbols of
TensorFlow to call, and files. So the config is looked through before Keras sees it, in both formats.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from typing import Any, Dict, Iterator, List, Optional

import h5py
from google.protobuf.message import DecodeError
from tensorflow.core.framework import node_def_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph.io import check_size
from intel_quantization.reading.op_safety import refusal

_CONFIG, _WEIGHTS = "config.json", ".h5"
# Python bytecode, pickles, and models of their own that are loaded from anywhere.
_CODE = ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
_SYMBOL_KEYS = {"TFOpLambda": "function", "SlicingOpLambda": "function", "ClassMethod": "cls_symbol"}
# Where the symbols are that only compute. Beside them are tf.io.gfile.remove, tf.load_op_library and the like.
_PURE_SPACES = (
    ("__operators__", "audio", "bitwise", "dtypes", "image", "keras.activations", "keras.backend", "linalg", "math")
    + ("nest", "nn", "quantization", "ragged", "random", "RaggedTensor", "sets", "signal", "sparse", "SparseTensor")
    + ("strings",)
)
_PURE_TOP_LEVEL_NAMES = """
    abs acos acosh add add_n argmax argmin argsort asin asinh atan atan2 atanh batch_to_space bitcast boolean_mask
    broadcast_to cast clip_by_norm clip_by_value complex concat cond convert_to_tensor cos cosh cumsum divide
    dynamic_partition dynamic_stitch einsum ensure_shape equal exp expand_dims eye fill floor gather gather_nd
    greater greater_equal hessians identity identity_n less less_equal linspace logical_and logical_not logical_or
    matmul maximum meshgrid minimum multiply negative norm not_equal one_hot ones ones_like pad pow range rank
    realdiv reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat
    reshape reverse reverse_sequence roll round saturate_cast scalar_mul scatter_nd searchsorted sequence_mask shape
    shape_n sigmoid sign sin sinh size slice sort space_to_batch space_to_batch_nd split sqrt square squeeze stack
    stop_gradient strided_slice subtract switch_case tan tanh tensordot tensor_scatter_nd_add tile transpose
    truncatediv truncatemod unique unstack where zeros zeros_like
"""
_PURE_TOP_LEVEL = frozenset(_PURE_TOP_LEVEL_NAMES.split())
_FAILURES = (OSError, RuntimeError, LookupError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
_REMEDY = "build the model from layers that Keras knows, or export it as a SavedModel"


def check_keras(path: str) -> None:
    """Refuse a Keras file that would run code of its own, or read other files, when it is loaded.

    Raises:
        BadInputError: a layer does, or the file is damaged.
    """
    try:
        if h5py.is_hdf5(path):  # a file may be both, and which it is taken for depends on its name
            with h5py.File(path, "r") as file:
                _check_hdf5(path, file)
                _check_config(path, file.attrs.get("model_config"))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                _check_zip(path, archive)
    except BadInputError:
        raise
    except _FAILURES as error:
        text = str(error).strip("'\"").splitlines() or [type(error).__name__]
        raise BadInputError("%s is damaged: %s" % (path, text[0]), "copy or save it anew") from None


def _check_zip(path: str, archive: zipfile.ZipFile) -> None:
    check_size(sum(info.file_size for info in archive.infolist()), "what %s unpacks to" % path)
    names = archive.namelist()
    if len(set(names)) != len(names):
        raise BadInputError("%s has several members of one name" % path, "save it anew")
    if _CONFIG in names:
        _check_config(path, archive.read(_CONFIG))
    for name in names:
        if name.endswith(_WEIGHTS):
            with archive.open(name) as stream, h5py.File(stream, "r") as file:
                _check_hdf5("%s (%s)" % (path, name), file)


def _check_config(path: str, text: Any) -> None:
    if text is None:
        return  # weights alone, of which Keras says that they are
    try:
        config = json.loads(text)
    except (ValueError, RecursionError, TypeError):
        raise BadInputError("the model's config in %s is no JSON" % path, "save the model anew") from None
    for item in _walk_dicts(config):
        reason = _find_reason(item)
        if reason:
            inner = item.get("config")
            name = item.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
            what = "the layer '%s'" % name if name else "a part"
            raise BadInputError("%s of %s %s" % (what, path, reason), _REMEDY)


def _walk_dicts(config: Any) -> Iterator[Dict[str, Any]]:
    stack: List[Any] = [config]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _find_reason(item: Dict[str, Any]) -> str:
    """Why a part of a config is refused; empty where it is not."""
    name, config = item.get("class_name"), item.get("config")
    if name in _CODE:
        return "is a %s, which carries code of its own" % name.strip("_")
    if isinstance(item.get("vocabulary"), str):
        return "reads the file %r" % item["vocabulary"]
    if not isinstance(name, str):
        return ""
    module = item.get("module")
    if isinstance(module, str) and not _is_keras(module, name):
        return "is %s of the Python module '%s', which is not part of Keras" % (name, module)
    if isinstance(config, dict):
        symbol = config.get(_SYMBOL_KEYS.get(name, ""))
        if name in _SYMBOL_KEYS and not (isinstance(symbol, str) and _is_pure(symbol)):
            return "calls tf.%s" % symbol
        if name == "TensorFlowOpLayer":
            return _op_reason(config.get("node_def"))
    return ""


def _is_keras(module: str, name: str) -> bool:
    if name == "__typespec__" and module.startswith("tensorflow."):
        return True
    return module == "builtins" or (module + ".").startswith(("keras.", "tf_keras.", "tensorflow.keras."))


def _is_pure(symbol: str) -> bool:
    if symbol.startswith("compat.v1."):
        symbol = symbol[len("compat.v1.") :]
    space, dot, _name = symbol.rpartition(".")
    if not dot:
        return symbol in _PURE_TOP_LEVEL
    return any(space == pure or space.startswith(pure + ".") for pure in _PURE_SPACES)


def _op_reason(text: Any) -> str:
    try:
        op = node_def_pb2.NodeDef.FromString(str(text).encode()).op
    except (DecodeError, RuntimeError):
        return "is an op that does not parse"
    reason = refusal(op)
    return "is a %s, which %s" % (op, reason) if reason else ""


def _check_hdf5(path: str, group: Any) -> None:
    """Refuse links out of the file, and values that are kept in others: they would be read as weights."""
    stack: List[Any] = [group]
    seen = set()
    while stack:
        item = stack.pop()
        for name in item:
            link = item.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                _refuse_outside(path, item.name, name, link.filename)
            if not isinstance(link, h5py.HardLink):
                continue  # a soft link stays inside, where its target is looked at
            child = item[name]
            address: Optional[Any] = h5py.h5o.get_info(child.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(child, h5py.Group):
                stack.append(child)
            elif isinstance(child, h5py.Dataset):
                plan = child.id.get_create_plist()
                if plan.get_external_count():
                    _refuse_outside(path, item.name, name, plan.get_external(0)[0].decode(errors="replace"))
                if plan.get_layout() == h5py.h5d.VIRTUAL:
                    _refuse_outside(path, item.name, name, "others")


def _refuse_outside(path: str, group: str, name: str, other: str) -> None:
    raise BadInputError(
        "%s takes %s/%s out of another file: %s" % (path, group.rstrip("/"), name, other),
        "save the model into one file",
    )
