"""Writes what the running TensorFlow has into the product's file of snapshots, beside the other versions.

Run it with the Python of each version that is to be known, in any order; it needs TensorFlow only:

    for python in PYTHON …; do "$python" tests/capabilities/snapshot.py; done

Where a version's part is written anew, nothing changes: the file is sorted, and made of the registries alone.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, Dict, List, Tuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "quantization"))

import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, op_def_pb2
from tensorflow.python.framework import kernels as kernel_registry

from intel_quantization.kinds.registry import FLOWS
from intel_quantization.ops.snapshots import PATH, expand, order, type_name

# Ops of which attributes and kernels are written down in full: those that may become INT8, and those that
# emission or an FP32 pass may ask for.
INT8 = re.compile(r"^_?(Fused)?(Quantize(d\w+|V2|Down\w+)|Requantiz\w+|Dequantize)$")
OTHERS = frozenset(
    """
    Add AddN AddV2 AvgPool BatchMatMul BatchMatMulV2 BatchToSpaceND BiasAdd Bitcast Cast Concat ConcatV2 Const Conv2D
    DepthToSpace DepthwiseConv2dNative Elu Exp ExpandDims FloorDiv FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
    Identity LeakyRelu MatMul Max MaxPool Maximum Mean Minimum MirrorPad Mul Pack Pad PadV2 Relu Relu6 Reshape
    ResizeBilinear ResizeNearestNeighbor Rsqrt Shape Sigmoid Slice Softmax SpaceToBatchND SpaceToDepth Split Squeeze
    StridedSlice Sub Sum Tanh Tile Transpose Unpack _FusedConv2D _FusedDepthwiseConv2dNative _FusedMatMul
    """.split()
) | frozenset(FLOWS)


def running_ops() -> Dict[str, Tuple[Any, List[Dict[str, List[str]]]]]:
    """op -> (attributes, kernels) of the running TensorFlow, as :mod:`intel_quantization.ops.snapshots` has it."""
    result: Dict[str, Tuple[Any, List[Dict[str, List[str]]]]] = {}
    for op in _op_list().op:
        if op.name.startswith("_Mkl"):  # what oneDNN's graph pass makes of the others at run time
            continue
        if INT8.match(op.name) or op.name in OTHERS:
            result[op.name] = ({attr.name: _attr(attr) for attr in op.attr}, _kernels(op.name))
        else:
            result[op.name] = (sorted(attr.name for attr in op.attr), [])
    return result


def compress(versions: Dict[str, Dict[str, Tuple[Any, Any]]]) -> Dict[str, Any]:
    """The inverse of :func:`intel_quantization.ops.snapshots.expand`."""
    known = sorted(versions, key=order)
    ops: Dict[str, List[List[Any]]] = {}
    for op in sorted(set().union(*versions.values())):
        forms: List[List[Any]] = []
        before = None
        for version in known:
            entry = versions[version].get(op)
            if entry is not None and entry == before:
                forms[-1][1] = version
            elif entry is not None:
                forms.append([version, version, entry[0], entry[1]])
            before = entry
        ops[op] = forms
    return {"versions": known, "ops": ops}


def text(content: Dict[str, Any]) -> str:
    """JSON with one op a line."""
    lines = ['"%s":%s' % (op, _compact(forms)) for op, forms in sorted(content["ops"].items())]
    return '{"versions":%s,"ops":{\n%s\n}}\n' % (_compact(content["versions"]), ",\n".join(lines))


def main() -> None:
    """Renew the running version's part of the file."""
    versions: Dict[str, Dict[str, Tuple[Any, Any]]] = {}
    if os.path.exists(PATH):
        with open(PATH, encoding="utf-8") as stream:
            versions = expand(json.load(stream))
    versions[tf.__version__] = running_ops()
    with open(PATH, "w", encoding="utf-8") as stream:
        stream.write(text(compress(versions)))
    print("%s: %d ops of TensorFlow %s" % (os.path.normpath(PATH), len(versions[tf.__version__]), tf.__version__))


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _op_list() -> op_def_pb2.OpList:
    try:
        from tensorflow.python.client import pywrap_tf_session as bindings
    except ImportError:  # until 2.1
        from tensorflow.python import pywrap_tensorflow as bindings
    result = op_def_pb2.OpList()
    result.ParseFromString(bindings.TF_GetBuffer(bindings.TF_GetAllOpList()))
    return result


def _attr(attr: op_def_pb2.OpDef.AttrDef) -> Dict[str, Any]:
    result: Dict[str, Any] = {"type": attr.type}
    if attr.HasField("default_value"):
        result["default"] = _value(attr.default_value)
    if attr.HasField("allowed_values") and attr.type in ("type", "list(type)"):
        result["allowed"] = sorted(type_name(number) for number in attr.allowed_values.list.type)
    return result


def _value(value: attr_value_pb2.AttrValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "list":
        items = value.list
        return (
            [type_name(number) for number in items.type]
            + [item.decode() for item in items.s]
            + [*items.i, *items.f, *items.b]
        )
    found = getattr(value, kind)
    if kind == "type":
        return type_name(found)
    if kind in ("tensor", "shape"):
        return str(found)
    return found.decode() if kind == "s" else found


def _kernels(op: str) -> List[Dict[str, List[str]]]:
    found = []
    for kernel in kernel_registry.get_registered_kernels_for_op(op).kernel:
        if kernel.device_type == "CPU" and not kernel.label:
            types = {
                item.name: {type_name(number) for number in item.allowed_values.list.type} for item in kernel.constraint
            }
            if types not in found:
                found.append(types)
    while _merge_two(found):
        pass
    plain = [{attr: sorted(types) for attr, types in kernel.items()} for kernel in found]
    return sorted(plain, key=_compact)


def _merge_two(found: List[Dict[str, set]]) -> bool:
    """Make one of two kernels that differ in the types of one attribute only."""
    found.sort(key=lambda kernel: _compact({attr: sorted(types) for attr, types in kernel.items()}))
    for first in found:
        for second in found:
            if first is second or set(first) != set(second):
                continue
            different = [attr for attr in first if first[attr] != second[attr]]
            if len(different) == 1:
                first[different[0]] = first[different[0]] | second[different[0]]
                found.remove(second)
                return True
    return False


if __name__ == "__main__":
    main()
