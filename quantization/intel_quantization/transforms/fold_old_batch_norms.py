"""Fold BatchNormWithGlobalNormalization, which old graphs such as Inception's have, into the linear op before it.

::

    y = (op(x, w) + b - mean) / sqrt(variance + epsilon) * gamma + beta
      = op(x, w * s) + ((b - mean) * s + beta)        with s = gamma / sqrt(variance + epsilon)

``gamma`` counts as 1 where ``scale_after_normalization`` is false. (nn_impl.py, batch_norm_with_global_normalization;
TensorFlow runs the op in graphs of version 8 or less only.)

Conditions: constant weights and parameters, channels come last, nothing else reads the linear op or
the BiasAdd between.
"""

from __future__ import annotations

import numpy as np

from intel_quantization.graph.attributes import attribute, is_channels_last
from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Const, Match, Op
from intel_quantization.transforms.rule import Rule, Rules
from intel_quantization.transforms.support.linear import (
    LINEAR_OR_BIASED,
    has_bias_of_channels,
    output_channels,
    replace_by_linear,
    scale_weights,
)

_NORM = "BatchNormWithGlobalNormalization"
_PARAMETERS = (Const("mean", 1), Const("variance", 1), Const("beta", 1), Const("gamma", 1))


def _refuse(_graph: Graph, node: NodeDef, found: Match) -> str:
    linear = found.nodes["linear"]
    channels = output_channels(linear, found.values["weights"])
    if any(found.values[key].size != channels for key in ("gamma", "beta", "mean", "variance")):
        return "'%s' does not have one parameter for each output channel" % node.name
    if not is_channels_last(linear) or not has_bias_of_channels(found):
        return "'%s' normalizes the last dimension, which are not the channels of '%s'" % (node.name, linear.name)
    return ""


def _fold(graph: Graph, node: NodeDef, found: Match) -> None:
    values = {key: value.astype(np.float64) for key, value in found.values.items() if key != "weights"}
    scale = 1.0 / np.sqrt(values["variance"] + attribute(node, "variance_epsilon").f)
    if attribute(node, "scale_after_normalization").b:
        scale = scale * values["gamma"]
    bias = (values.get("bias", 0.0) - values["mean"]) * scale + values["beta"]
    linear = found.nodes["linear"]
    replace_by_linear(graph, node, linear, scale_weights(linear, found.values["weights"], scale), bias)


fold_old_batch_norms = Rules(
    "fold_old_batch_norms", Rule((Op(_NORM, inputs=(LINEAR_OR_BIASED,) + _PARAMETERS),), rewrite=_fold, refuse=_refuse)
)
