"""What the batch norms of a graph remember: the mean and variance that each channel had in training.

Under the preprocessing that a network was trained with, its channels have them again. A batch norm gives
``y = (x - mean) / sqrt(variance + epsilon) * gamma + beta``, so that it can be told from ``y``, too, when the batch
norm was folded meanwhile: ``(y - beta) / gamma`` has mean 0 and variance ``variance / (variance + epsilon)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from intel_quantization.graph import tensors
from intel_quantization.graph.graph import Graph, NodeDef

_FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_ADD = ("Add", "AddV2")
_LEAST_GAMMA = 1e-3


@dataclass(frozen=True)
class Norm:
    """A batch norm in inference: the tensor that it gives, and its numbers, each [channels], float64."""

    output: str
    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float

    def divergence(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """How far each channel is from what is remembered, where it tells anything: the KL divergence of Gaussians.

        Args:
            mean, variance: of each channel of ``output``, as measured.
        """
        used = np.abs(self.gamma) > _LEAST_GAMMA * np.abs(self.gamma).max()
        gamma = self.gamma[used]
        # epsilon counts on both sides, so that channels that were always dead do not matter
        share = self.epsilon / (self.variance[used] + self.epsilon)
        shift = (mean[used] - self.beta[used]) / gamma
        spread = variance[used] / np.square(gamma) + share
        spread = np.maximum(spread, 1e-9)
        return 0.5 * (spread + np.square(shift) - 1.0 - np.log(spread))


def find_norms(graph: Graph) -> Tuple[Norm, ...]:
    """The batch norms outside of loops that remember anything, in the order in which they run."""
    pieces = _in_pieces(graph)
    found: List[Norm] = []
    for node in graph.topological():
        norm = pieces.get(node.name)
        if node.op in _FUSED and "is_training" in node.attr and not node.attr["is_training"].b:
            norm = _read_fused(graph, node)
        if norm is not None and not graph.frame(node.name) and _remembers(norm):
            found.append(norm)
    return tuple(found)


def _remembers(norm: Norm) -> bool:
    """Not so where folding or an export wrote 0 and 1 in place of what training had found."""
    return not (np.allclose(norm.mean, 0.0, atol=1e-6) and np.allclose(norm.variance, 1.0, atol=1e-2))


def _read_fused(graph: Graph, node: NodeDef) -> Optional[Norm]:
    values = [graph.constant(tensor) for tensor in graph.data_inputs(node)[1:5]]
    epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else 1e-4
    return _make_norm(node.name, values, epsilon)


def _make_norm(name: str, values: Sequence[Any], epsilon: float) -> Optional[Norm]:
    if any(value is None or value.ndim != 1 for value in values) or len({len(value) for value in values}) != 1:
        return None
    gamma, beta, mean, variance = (value.astype(np.float64) for value in values)
    usable = len(gamma) and np.abs(gamma).max() > 0 and np.isfinite(variance).all() and variance.min() >= 0
    return Norm(name + ":0", gamma, beta, mean, variance, float(epsilon)) if usable else None


def _in_pieces(graph: Graph) -> Dict[str, Norm]:
    """Batch norms as tf.nn.batch_normalization writes them, by the name of their last node.

    ``x * m + (beta - mean * m)`` with ``m = rsqrt(variance + epsilon) * gamma``.
    """
    found: Dict[str, Norm] = {}
    for node in graph.nodes.values():
        if node.op != "Rsqrt":
            continue
        added = graph.producer(node.input[0])
        operands = [graph.constant(tensor) for tensor in graph.data_inputs(added)] if added.op in _ADD else []
        if len(operands) != 2 or operands[0] is None or operands[1] is None or operands[1].size != 1:
            continue
        variance, epsilon = operands[0], float(operands[1].reshape(-1)[0])
        factor, gamma = _find_scaled(graph, node, variance)
        last, mean, beta = _find_ends(graph, factor)
        if last is not None:
            norm = _make_norm(last, (gamma, beta, mean, variance), epsilon)
            if norm is not None:
                found[last] = norm
    return found


def _find_scaled(graph: Graph, rsqrt: NodeDef, variance: np.ndarray) -> Tuple[NodeDef, np.ndarray]:
    """The node that gives ``m``, and gamma."""
    readers = graph.consumers(rsqrt.name)
    if len(readers) == 1 and readers[0].op == "Mul":
        gamma = graph.constant(_find_other(graph, readers[0], rsqrt))
        if gamma is not None:
            return readers[0], gamma
    return rsqrt, np.ones_like(variance)


def _find_ends(graph: Graph, factor: NodeDef) -> Tuple[Optional[str], Optional[np.ndarray], Optional[np.ndarray]]:
    """(name of the last node, mean, beta) behind ``m``; the name is None where the pieces are others."""
    mean = beta = last = None
    for product in graph.consumers(factor.name):
        if product.op != "Mul":
            continue
        value = graph.constant(_find_other(graph, product, factor))
        for reader in graph.consumers(product.name):
            if value is None and reader.op in _ADD:
                last = reader.name
            elif value is not None and reader.op == "Sub":
                mean, beta = value, graph.constant(graph.data_inputs(reader)[0])
    return (None if mean is None or beta is None else last), mean, beta


def _find_other(graph: Graph, product: NodeDef, node: NodeDef) -> str:
    """The operand of a product that is not ``node``'s."""
    first, second = graph.data_inputs(product)[:2]
    return second if tensors.node_of(first) == node.name else first
