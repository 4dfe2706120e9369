"""Turn convolutions on NCHW images into ones on NHWC images, the only ones with an INT8 kernel.

::

    f_NCHW(x) == Transpose(f_NHWC(Transpose(x, [0, 2, 3, 1])), [0, 3, 1, 2])

for a convolution, and what stands between convolutions is turned with them, so that the Transposes of
neighbours cancel: pools, BiasAdd, batch norm, activations, additions, concatenations, Pad, Slice,
means over and Squeeze of rows and columns. A Transpose of the graph's own, as MLPerf's SSD-ResNet34 has one at
its input, cancels, too. What is turned keeps its name, unless it is an output; that stays, as a Transpose.

Conditions: float32; there is a convolution or pool in NCHW. All the images that an op other than those
reads must be there in NHWC already; constants may stand beside them. Pools are always turned, as TensorFlow
before 2.16 takes a pool in NCHW and one of the same size in NHWC for one in a process, so that whichever runs
second is wrong (https://github.com/tensorflow/tensorflow/issues/61482).
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from tensorflow.core.framework.graph_pb2 import GraphDef

from intel_quantization.graph import tensors
from intel_quantization.graph.attributes import DT_FLOAT, DT_INT32, attribute, dtype_attr, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.kinds.registry import LINEAR

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)

_CONVOLUTIONS = tuple(op for op, kind in LINEAR.items() if kind.spatial)
_POOLS = ("MaxPool", "AvgPool")
_BATCH_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_FORMATTED = (*_CONVOLUTIONS, *_POOLS, *_BATCH_NORMS, "BiasAdd")
_UNARY = ("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus", "Identity")
_BINARY = ("Add", "AddV2", "Sub", "Mul", "RealDiv", "Maximum", "Minimum")
_SUMS = ("Add", "AddV2", "Sub")
# attributes with a number for each dimension, or two
_BY_DIMENSION = ("strides", "dilations", "ksize", "explicit_paddings")


def convert_layout(graph: Graph) -> int:
    """Turn all convolutions and pools on NCHW images, and what stands between; returns how many of those two."""
    if not _has_any(graph.nodes.values()):
        return 0
    layout = _Layout(graph)
    for node in graph.topological():
        layout.visit(node)
    layout.tidy()
    return layout.count


def in_nhwc(graph_def: GraphDef, outputs: Sequence[str]) -> GraphDef:
    """The same graph with its convolutions and pools in NHWC, for running it beside the converted graph.

    The graph itself where it has none in NCHW.
    """
    if not _has_any(graph_def.node):
        return graph_def
    graph = Graph(graph_def, outputs)
    convert_layout(graph)
    return graph.to_graph_def()


def _has_any(nodes: Iterable[NodeDef]) -> bool:
    return any(node.op in (*_CONVOLUTIONS, *_POOLS) and _is_turnable(node) for node in nodes)


def _is_turnable(node: NodeDef) -> bool:
    return attribute(node, "T").type == DT_FLOAT and not is_channels_last(node)


def _is_one_plane(value: np.ndarray) -> bool:
    """Whether an operand of NCHW images differs between rows or columns, but not between channels."""
    return value.size > 1 and (value.ndim < 3 or value.shape[-3] == 1)


class _Layout:
    """``last`` has the NHWC tensor of each NCHW tensor for which there is one."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.last: Dict[str, str] = {}
        self.count = 0
        self._own: List[str] = []  # the graph's Transposes to NCHW
        self._turned: List[Tuple[str, str]] = []
        self._permutations: Dict[Tuple[int, ...], str] = {}
        self._operands: Dict[str, str] = {}

    def visit(self, node: NodeDef) -> None:
        """Turn a node, whose producers have been visited, if its images are there in NHWC."""
        if node.op in (*_CONVOLUTIONS, *_POOLS) and _is_turnable(node):
            self._turn(node, [self._image(node), *self.graph.data_inputs(node)[1:]])
            self.count += 1
        elif node.op == "Transpose":
            self._visit_transpose(node)
        elif attribute(node, "T").type == DT_FLOAT:
            inputs = self._inputs(node)
            if inputs is not None:
                self._turn(node, inputs)

    def tidy(self) -> None:
        """Drop the Transposes that nobody reads, and give their names back to what they stood for."""
        for first, last in self._turned:
            self.graph.sweep([first])
            if first not in self.graph and last in self.graph:
                self.graph.rename(last, first)
        self.graph.sweep(self._own)

    def _visit_transpose(self, node: NodeDef) -> None:
        source, permutation = self.graph.data_inputs(node)
        order = self.graph.constant(permutation)
        if order is None:
            return
        if tuple(order) == TO_FIRST:
            self.last[node.name] = source
            self._own.append(node.name)
        elif tuple(order) == TO_LAST and source in self.last:
            self.graph.redirect(node.name, self.last[source])
            self.graph.set_input(node, 0, self.last[source])
            self.graph.set_input(node, 1, self._permutation((0, 1, 2, 3), self.last[source]))
            self.graph.sweep([node.name])

    def _inputs(self, node: NodeDef) -> Optional[List[str]]:
        """What a node would read in NHWC; None where it is to be left alone, or was turned in its place."""
        inputs = self.graph.data_inputs(node)
        images = [self.last.get(tensor) for tensor in inputs]
        first = images[0] if images else None
        if node.op in _BINARY:
            return self._of_binary(node, inputs)
        if first is None:
            return None
        if node.op in _UNARY:
            return [first]
        if node.op in _FORMATTED:
            return [first, *inputs[1:]] if not is_channels_last(node) and self._has_one_output(node) else None
        if node.op == "ConcatV2":
            return self._of_concat(node)
        if node.op == "Pad":
            paddings = self.graph.constant(inputs[1])
            if paddings is None or paddings.shape != (4, 2):
                return None
            return [first, self.graph.add_constant(node.name + "/paddings", paddings[list(TO_LAST)], beside=first)]
        if node.op == "Slice":
            return self._of_slice(node, first)
        if node.op in ("Mean", "Squeeze"):
            return self._of_reduction(node, first)
        return None

    def _of_slice(self, node: NodeDef, first: str) -> Optional[List[str]]:
        places = [self.graph.constant(name) for name in self.graph.data_inputs(node)[1:]]
        if any(place is None or place.shape != (4,) for place in places):
            return None
        turned = [place[list(TO_LAST)] for place in places if place is not None]
        return [first, *(self.graph.add_constant(node.name + "/place", place, beside=first) for place in turned)]

    def _of_binary(self, node: NodeDef, inputs: Sequence[str]) -> Optional[List[str]]:
        images = [self.last[tensor] for tensor in inputs if tensor in self.last]
        values = [None if tensor in self.last else self.graph.constant(tensor) for tensor in inputs]
        if not images or len(images) + sum(value is not None and value.ndim <= 4 for value in values) < 2:
            return None
        # Grappler would put the constant through a BiasAdd ahead, as if it had all the channels, and fail
        if node.op in _SUMS and any(value is not None and _is_one_plane(value) for value in values):
            return None
        return [
            self.last[tensor] if value is None else self._operand(tensor, value, images[0])
            for tensor, value in zip(inputs, values)
        ]

    def _operand(self, tensor: str, value: np.ndarray, image: str) -> str:
        """A constant that broadcasts over NHWC as ``tensor`` does over NCHW; outside of loops one for all readers."""
        if value.ndim == 0:
            return tensor
        in_loop = bool(self.graph.frame(image))
        name = None if in_loop else self._operands.get(tensor)
        if name is not None and name in self.graph:
            return name
        value = value.reshape((1,) * (4 - value.ndim) + value.shape).transpose(TO_LAST)
        name = self.graph.add_constant(tensors.node_of(tensor) + "/nhwc", value, beside=image)
        if not in_loop:
            self._operands[tensor] = name
        return name

    def _of_concat(self, node: NodeDef) -> Optional[List[str]]:
        inputs = self.graph.data_inputs(node)
        images = [self.last[tensor] for tensor in inputs[:-1] if tensor in self.last]
        axis = self.graph.constant(inputs[-1])
        if axis is None or len(images) < len(inputs) - 1 or attribute(node, "Tidx").type not in (0, DT_INT32):
            return None
        axis = np.array(TO_LAST.index(int(axis) % 4), np.int32)
        return [*images, self.graph.add_constant(node.name + "/axis", axis, beside=images[0])]

    def _of_reduction(self, node: NodeDef, image: str) -> Optional[List[str]]:
        """Without rows and columns there is nothing left to turn: the node reads the other image and keeps its name."""
        if node.op == "Squeeze":
            if sorted(axis % 4 for axis in attribute(node, "squeeze_dims").list.i) == [2, 3]:
                self.graph.set_input(node, 0, image)
                node.attr["squeeze_dims"].list.i[:] = [1, 2]
            return None
        axes = self.graph.constant(self.graph.data_inputs(node)[1])
        if axes is None or sorted(int(axis) % 4 for axis in axes.reshape(-1)) != [2, 3]:
            return None
        kind = np.int64 if axes.dtype == np.int64 else np.int32
        name = self.graph.add_constant(node.name + "/axes", np.array([1, 2], kind), beside=image)
        if attribute(node, "keep_dims").b:
            return [image, name]
        self.graph.set_input(node, 0, image)
        self.graph.set_input(node, 1, name)
        return None

    def _has_one_output(self, node: NodeDef) -> bool:
        """Batch norms have more, and inference reads one; in training they are not turned."""
        if node.op not in _BATCH_NORMS:
            return True
        read = {name for reader in self.graph.consumers(node.name) for name in self.graph.data_inputs(reader)}
        read.update(self.graph.outputs)
        others = {"%s:%d" % (node.name, index) for index in range(1, 6)}
        return not read & others and "is_training" in node.attr and not node.attr["is_training"].b

    def _image(self, node: NodeDef) -> str:
        """What a convolution reads, in NHWC."""
        tensor = self.graph.data_inputs(node)[0]
        if tensor not in self.last:
            name = self.graph.unique_name(node.name + "/to_nhwc")
            self.last[tensor] = self._transpose(name, tensor, TO_LAST, node.device).name
        return self.last[tensor]

    def _turn(self, node: NodeDef, inputs: Sequence[str]) -> None:
        """Add the node in NHWC; its old name becomes that of a Transpose of it, for those who read NCHW."""
        graph = self.graph
        attrs = {key: value for key, value in node.attr.items() if key != "_output_shapes"}
        name = graph.unique_name(node.name + "/nhwc")
        twin = graph.add(node.op, name, [*inputs, *graph.control_inputs(node)], attrs, node.device)
        if node.op in _FORMATTED:
            twin.attr["data_format"].s = b"NHWC"
            for key in _BY_DIMENSION:
                values = list(attribute(twin, key).list.i)
                if values:
                    turned = np.array(values).reshape(4, -1)[list(TO_LAST)].reshape(-1)
                    twin.attr[key].list.i[:] = [int(value) for value in turned]
        node.op = "Transpose"
        for key in list(node.attr):
            del node.attr[key]
        node.attr["T"].type, node.attr["Tperm"].type = DT_FLOAT, DT_INT32
        graph.set_inputs(node, [name, self._permutation(TO_FIRST, name)])
        self.last[node.name] = name
        self._turned.append((node.name, name))

    def _transpose(self, name: str, tensor: str, order: Tuple[int, ...], device: str) -> NodeDef:
        types = {"T": dtype_attr(DT_FLOAT), "Tperm": dtype_attr(DT_INT32)}
        return self.graph.add("Transpose", name, [tensor, self._permutation(order, tensor)], types, device)

    def _permutation(self, order: Tuple[int, ...], beside: str) -> str:
        """A constant for a Transpose; outside of loops one serves all."""
        in_loop = bool(self.graph.frame(beside))
        name = None if in_loop else self._permutations.get(order)
        if name is None or name not in self.graph:
            stem = "%s/permutation" % tensors.node_of(beside)
            name = self.graph.add_constant(stem, np.array(order, np.int32), beside=beside)
            if not in_loop:
                self._permutations[order] = name
        return name
