"""Both graphs in one, and beside each INT8 layer a copy of it that reads what FP32 gives.

::

    input ─▶ FP32 graph ─ x ─▶ FP32 layer ─ y          error of the copy  ─▶ local: what the layer itself loses
       │             └▶ QuantizeV2 ─▶ copy of the INT8 op ─▶ Dequantize ┘
       └───▶ INT8 graph ──────▶ INT8 layer ─▶ Dequantize ─▶ accumulated: what is wrong by then

One run of it gives, for each layer, sums and no tensors, so that little is fetched and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, graph_pb2

from intel_quantization.calibration.sensitivity.gradients import has_gradient_in
from intel_quantization.calibration.sensitivity.smooth_ends import find_smooth_part
from intel_quantization.graph import tensors
from intel_quantization.graph.frames import ENTER, Frame, frame_of
from intel_quantization.graph.graph import Graph
from intel_quantization.kinds.int8_tensor import Int8Tensor
from intel_quantization.quantize.emitted_layer import EmittedLayer

tf1 = tf.compat.v1

_SEED = 7
_FP32, _INT8 = "fp32", "int8"


@dataclass(frozen=True)
class Probe:
    """What is fetched of one layer: the names stand for tensors of the graph, scalars but for ``shift`` [channels].

    Attributes:
        power: the sum of squares of what FP32 gives.
        local: of the copy's errors.
        accumulated: of the INT8 graph's errors; None where the INT8 layer is not to be had.
        shift: the sum of the copy's errors in each channel.
        values: how many values there are.
        read: the sum of squares of what the copy's errors owe to the range of what it reads.
        damage: the square of how far the copy's errors move the outputs, drawn at random; None without gradients.
        source, result: of what is read and given: clipped values, clipped power, rounded power, power, values.
    """

    power: Any
    local: Any
    accumulated: Any
    shift: Any
    values: Any
    read: Any
    damage: Any
    source: Any
    result: Any


class PairedGraph:
    """Builds it.

    Args:
        fp32: the optimized FP32 graph.
        int8: what it became.
        layers: as emitted; those inside of loops are left out.
        inputs, outputs: tensors of both.

    Attributes:
        graph: a tf.Graph, whose inputs are named as those of ``fp32``, below ``fp32/``.
        probes: by the name of the linear op.
        output_power: the sum of squares of what is looked at of the outputs; None without gradients.
    """

    def __init__(
        self,
        fp32: graph_pb2.GraphDef,
        int8: graph_pb2.GraphDef,
        layers: Sequence[EmittedLayer],
        inputs: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        self._nodes = {node.name: node for node in fp32.node}
        self._loops: Dict[str, Frame] = {}
        self.graph = tf.Graph()
        with self.graph.as_default():
            tf1.set_random_seed(_SEED)  # the same ranking each time
            tf.import_graph_def(fp32, name=_FP32)
            there = {node.name for node in int8.node}
            same = {name: self._fp32(name) for name in inputs if tensors.node_of(name) in there}
            tf.import_graph_def(_with_own_loops(int8), name=_INT8, input_map=same)
            kept = [layer for layer in layers if not self._in_loop(layer.group.root)]
            roots = [layer.group.root for layer in kept]
            gradients, self.output_power = self._gradients(roots, Graph(fp32, outputs))
            self.probes = {layer.group.linear: self._probe(layer, gradient) for layer, gradient in zip(kept, gradients)}

    def feed(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        """A feed dict of the graphs as one of this graph."""
        return {_full(_FP32, name): value for name, value in batch.items()}

    def _fp32(self, name: str) -> tf.Tensor:
        return self.graph.get_tensor_by_name(_full(_FP32, name))

    def _int8(self, name: str) -> tf.Tensor:
        return self.graph.get_tensor_by_name(_full(_INT8, name))

    def _in_loop(self, name: str) -> bool:
        return bool(frame_of(self._nodes, tensors.node_of(name), self._loops))

    def _gradients(self, roots: List[str], fp32: Graph) -> Any:
        """Of a random sum of what the graph ends in, by what each layer gives; None where there is none."""
        part = find_smooth_part(fp32, roots, has_gradient_in(self.graph, _FP32 + "/"))
        seen = [self._fp32(name) for name in part.ends]
        if not seen:
            return [None] * len(roots), None
        signs = [tf1.sign(tf1.random_uniform(tf1.shape(each), -1.0, 1.0)) for each in seen]
        total = tf1.add_n([tf1.reduce_sum(each * sign) for each, sign in zip(seen, signs)])
        try:
            found = tf1.gradients(total, [self._fp32(name) for name in part.sources])
        except (TypeError, ValueError):  # of a gradient that TensorFlow cannot build
            return [None] * len(roots), None
        by_root = dict(zip(part.sources, found))
        return [by_root.get(name) for name in roots], tf1.add_n([tf1.reduce_sum(tf1.square(each)) for each in seen])

    def _probe(self, layer: EmittedLayer, gradient: Optional[tf.Tensor]) -> Probe:
        group = layer.group
        wanted = self._fp32(group.root)
        error = self._copy(layer) - wanted
        accumulated = None if layer.result is None else self._real(layer, self._int8(layer.result.tensor))
        if layer.result is None:
            accumulated = self._int8(layer.node)
        channels = tf1.range(tf1.rank(wanted) - 1)
        return Probe(
            _power(wanted),
            _power(error),
            _power(accumulated - wanted),
            tf1.reduce_sum(error, axis=channels),
            tf1.cast(tf1.size(wanted), tf.float32),
            _power(self._through(layer, wanted)),
            None if gradient is None else tf1.square(tf1.reduce_sum(error * gradient)),
            _range_errors(self._fp32(group.source), layer.source, layer.source_scale),
            None if layer.result is None else _range_errors(wanted, layer.result, layer.result_scale),
        )

    def _through(self, layer: EmittedLayer, wanted: tf.Tensor) -> tf.Tensor:
        """What the errors of the source's range become behind the layer's op and activation, in FP32."""
        group = layer.group
        source = self._fp32(group.source)
        error = _dequantize(_quantize(source, layer.source, layer.source_scale), layer.source, layer.source_scale)
        error = error - source
        op = self.graph.get_operation_by_name(f"{_FP32}/{group.linear}")
        attrs = {key: value for key, value in op.node_def.attr.items() if not key.startswith("_")}
        pads = group.lift_pads or group.pads
        if pads:
            error = _pad(error, pads)
            attrs["padding"] = attr_value_pb2.AttrValue(s=b"VALID")
        moved = self.graph.create_op(
            op.type, [error, op.inputs[1]], [tf.float32], name="through/" + group.linear, attrs=attrs
        ).outputs[0]
        return moved * tf1.cast(wanted > 0, tf.float32) if group.activation else moved

    def _copy(self, layer: EmittedLayer) -> tf.Tensor:
        """What the INT8 layer makes of FP32's values, as float32."""
        group = layer.group
        op = self.graph.get_operation_by_name(f"{_INT8}/{layer.node}")
        source = self._fp32(group.source)
        if group.lift_pads:
            source = _pad(source, group.lift_pads)
        inputs = list(op.inputs)
        inputs[0] = _quantize(source, layer.source, layer.source_scale)
        if layer.summand is not None:
            assert group.summand is not None  # the one goes with the other
            name = self._int8(layer.summand.tensor).name
            (place,) = [number for number, given in enumerate(op.inputs) if number and given.name == name]
            inputs[place] = _quantize(self._fp32(group.summand), layer.summand, None)
        copy = self.graph.create_op(
            op.type,
            inputs,
            [output.dtype for output in op.outputs],
            name="local/" + layer.node,
            attrs={key: value for key, value in op.node_def.attr.items() if not key.startswith("_")},
        )
        return copy.outputs[0] if layer.result is None else self._real(layer, copy.outputs[0])

    def _real(self, layer: EmittedLayer, value: tf.Tensor) -> tf.Tensor:
        assert layer.result is not None  # asked before
        return _dequantize(value, layer.result, layer.result_scale)


def _with_own_loops(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """The graph with other names of its loops' frames: TensorFlow takes two loops of one name for one."""
    if not any(node.op in ENTER for node in graph.node):
        return graph
    found = graph_pb2.GraphDef()
    found.CopyFrom(graph)
    for node in found.node:
        if node.op in ENTER:
            node.attr["frame_name"].s = f"{_INT8}/".encode() + node.attr["frame_name"].s
    return found


def _full(prefix: str, name: str) -> str:
    return "%s/%s:%d" % (prefix, *tensors.split(name))


def _pad(value: tf.Tensor, pads: Tuple[int, int, int, int]) -> tf.Tensor:
    top, bottom, left, right = pads
    return tf1.pad(value, [[0, 0], [top, bottom], [left, right], [0, 0]])


def _limits(tensor: Int8Tensor) -> Tuple[float, float]:
    return (0.0 if tensor.unsigned else -tensor.limit), tensor.limit


def _on_grid(value: tf.Tensor, tensor: Int8Tensor, scale: Optional[np.ndarray]) -> tf.Tensor:
    """The values as they are ahead of quantizing."""
    if scale is not None:
        value = value / scale.astype(np.float32)
    return value + np.asarray(tensor.offset, np.float32) if np.any(tensor.offset) else value


def _quantize(value: tf.Tensor, tensor: Int8Tensor, scale: Optional[np.ndarray]) -> tf.Tensor:
    low, high = _limits(tensor)
    dtype = tf.quint8 if tensor.unsigned else tf.qint8
    return tf.raw_ops.QuantizeV2(
        input=_on_grid(value, tensor, scale),
        min_range=low,
        max_range=high,
        T=dtype,
        mode="SCALED",
        round_mode="HALF_TO_EVEN",
    )[0]


def _dequantize(value: tf.Tensor, tensor: Int8Tensor, scale: Optional[np.ndarray]) -> tf.Tensor:
    low, high = _limits(tensor)
    result = tf.quantization.dequantize(value, low, high, mode="SCALED")
    if np.any(tensor.offset):
        result = result - np.asarray(tensor.offset, np.float32)
    return result if scale is None else result * scale.astype(np.float32)


def _range_errors(value: tf.Tensor, tensor: Int8Tensor, scale: Optional[np.ndarray]) -> tf.Tensor:
    """[clipped values, clipped power, rounded power, power, values] of FP32's values under a range."""
    low, high = _limits(tensor)
    step = tensor.limit / (255.0 if tensor.unsigned else 127.0)
    factor = 1.0 if scale is None else scale.astype(np.float32)
    there = _on_grid(value, tensor, scale)
    inside = tf1.clip_by_value(there, low, high)
    outside = tf1.cast(tf1.abs(there - inside) > step / 2, tf.float32)
    rounded = tf1.round(inside / step) * step
    return tf1.stack(
        [
            tf1.reduce_sum(outside),
            _power((there - inside) * factor),
            _power((rounded - inside) * factor),
            _power(value),
            tf1.cast(tf1.size(value), tf.float32),
        ]
    )


def _power(value: tf.Tensor) -> tf.Tensor:
    return tf1.reduce_sum(tf1.square(value))
