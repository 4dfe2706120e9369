"""Fold FusedBatchNorm (V1, V2, V3; inference) into the linear op before it.

::

    y = gamma * (op(x, w) + b - mean) / sqrt(variance + epsilon) + beta
      = op(x, w * s) + ((b - mean) * s + beta)        with s = gamma / sqrt(variance + epsilon)

Conditions: constant weights and batch norm parameters, ``is_training`` false, nothing else reads
the linear op or the BiasAdd between, only output 0 of the batch norm is read.
"""

from __future__ import annotations

import numpy as np

from intel_quantization.graph.attributes import attribute
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Const, Match, Op
from intel_quantization.kinds.registry import kind_of
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.linear import (
    LINEAR_OR_BIASED,
    has_bias_of_channels,
    output_channels,
    replace_by_linear,
    scale_weights,
)

_NORM = "FusedBatchNorm|FusedBatchNormV2|FusedBatchNormV3"
_PARAMETERS = (Const("gamma", 1), Const("beta", 1), Const("mean", 1), Const("variance", 1))


def _refuse(graph: Graph, node: NodeDef, found: Match) -> str:
    # the op's own default for is_training is true
    if "is_training" not in node.attr or node.attr["is_training"].b:
        return "'%s' is in training mode" % node.name
    channels = output_channels(found.nodes["linear"], found.values["weights"])
    if any(found.values[key].size != channels for key in ("gamma", "beta", "mean", "variance")):
        return "'%s' does not have one parameter for each output channel" % node.name
    linear = found.nodes["linear"]
    if kind_of(linear).spatial and _data_format(linear) != _data_format(node):
        return "'%s' has another data format than '%s'" % (node.name, linear.name)
    if not has_bias_of_channels(found):
        return "'%s' has another data format than '%s'" % (found.nodes["bias_add"].name, linear.name)
    for index in range(1, 6):
        if graph.readers("%s:%d" % (node.name, index)) or "%s:%d" % (node.name, index) in graph.outputs:
            return "output %d of '%s' is read" % (index, node.name)
    return ""


def _data_format(node: NodeDef) -> bytes:
    return attribute(node, "data_format").s or b"NHWC"


def _fold(graph: Graph, node: NodeDef, found: Match) -> None:
    values = {key: value.astype(np.float64) for key, value in found.values.items() if key != "weights"}
    epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else 0.0001
    scale = values["gamma"] / np.sqrt(values["variance"] + epsilon)
    bias = (values.get("bias", 0.0) - values["mean"]) * scale + values["beta"]
    linear = found.nodes["linear"]
    weights = scale_weights(linear, found.values["weights"], scale)
    replace_by_linear(graph, node, linear, weights, bias)


fold_batch_norms = Rules(
    "fold_batch_norms", Rule((Op(_NORM, inputs=(LINEAR_OR_BIASED,) + _PARAMETERS),), rewrite=_fold, refuse=_refuse)
)
