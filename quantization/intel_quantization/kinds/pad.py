"""Pad, on four channels at a time, seen as one float32.

Zero is zero in both, and the Pad kernel for INT8 types is several times slower than the one for float32.
"""

from __future__ import annotations

from typing import Any, List, Sequence

import numpy as np
from tensorflow.core.framework.attr_value_pb2 import AttrValue

from intel_quantization.graph.attributes import DT_FLOAT, DT_INT32, attribute, dtype_attr
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.int8_tensor import Int8Tensor
from intel_quantization.kinds.linear_kind import Kernel
from intel_quantization.kinds.pass_through_kind import NodeCase, PassThroughKind, ValuesCase
from intel_quantization.kinds.range_flow import SAME
from intel_quantization.kinds.rules import RefusalRule


def _pads_more_than_images(case: NodeCase) -> bool:
    paddings = case.graph.constant(case.graph.data_inputs(case.node)[1])
    return paddings is None or paddings.shape != (4, 2) or bool(np.any(paddings[[0, 3]]))


def _has_odd_channels(case: ValuesCase) -> bool:
    return case.source is None or len(case.source) != 4 or bool((case.source[3] or 1) % 4)


class Pad(PassThroughKind):
    """A Pad of images."""

    shares_memory = True
    flows = dict.fromkeys(("Reshape", "Bitcast", "Pad"), SAME)
    refusals = (RefusalRule(_pads_more_than_images, "only images can be padded, by a constant"),)
    obstacles = (RefusalRule(_has_odd_channels, "the number of channels is no multiple of 4"),)

    def kernels(self, dtype: int) -> Sequence[Kernel]:
        """Of what splits channels and joins them."""
        return (
            Kernel("Shape", {"T": dtype}),
            Kernel("Reshape", {"T": dtype}),
            Kernel("Bitcast", {"T": dtype, "type": DT_FLOAT}),
        )

    def emit(self, graph: Graph, node: NodeDef, sources: Sequence[Int8Tensor], channels: int, name: str) -> str:
        """Pad four neighbouring channels as one: [N, H, W, C] -> [N, H, W, C / 4, 4] -> float32 -> back.

        TensorFlow sees through Shape, StridedSlice and ConcatV2 when it infers shapes, so that these stay known.
        """
        source = sources[0]
        number, int8, real = dtype_attr(DT_INT32), dtype_attr(source.dtype), dtype_attr(DT_FLOAT)

        def constant(suffix: str, value: Sequence[int]) -> str:
            return graph.add_constant("%s/%s" % (name, suffix), np.array(value, np.int32), beside=source.tensor)

        def add(op: str, suffix: str, inputs: List[str], **attrs: Any) -> str:
            return graph.add(op, graph.unique_name("%s/%s" % (name, suffix)), inputs, attrs, node.device).name

        begin, end, step = constant("begin", [0]), constant("end", [3]), constant("step", [1])
        axis = graph.add_constant(name + "/axis", np.int32(0), beside=source.tensor)

        def image_and(tensor: str, dtype: AttrValue, last: Sequence[int], suffix: str) -> str:
            """The first three dimensions of a tensor, and others."""
            shape = add("Shape", suffix + "/shape", [tensor], T=dtype, out_type=number)
            image = add("StridedSlice", suffix + "/image", [shape, begin, end, step], T=number, Index=number)
            behind = constant(suffix + "/last", last)
            return add("ConcatV2", suffix, [image, behind, axis], N=2, T=number, Tidx=number)

        split = image_and(source.tensor, int8, [channels // 4, 4], "split")
        quads = add("Reshape", "quads", [source.tensor, split], T=int8, Tshape=number)
        words = add("Bitcast", "words", [quads], T=int8, type=real)
        paddings = graph.data_inputs(node)[1]
        waits = graph.control_inputs(node)
        padded = add("Pad", "padded", [words, paddings] + waits, T=real, Tpaddings=attribute(node, "Tpaddings"))
        whole = image_and(padded, real, [channels], "whole")
        back = add("Bitcast", "back", [padded], T=real, type=int8)
        return graph.add("Reshape", name, [back, whole], {"T": int8, "Tshape": number}, node.device).name
