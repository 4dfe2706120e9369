"""The FP32 rewrites in their order, and the driver that counts, verifies and keeps what they made."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Callable, Dict, Optional, Tuple

from intel_quantization.errors import BadInputError, InvalidGraphError
from intel_quantization.graph.graph import Graph
from intel_quantization.transforms import rule
from intel_quantization.verify.graph import verify

Transform = Callable[[Graph], int]

# Each is what the file of its name has under that name: a fusion is registered by its one line here, and by nothing
# else. Those of _FOLD_PIECES run twice.
_FOLD_PIECES = (
    "fold_subdivmul_batch_norms",
    "fuse_column_wise_mul",
    "fold_convolutionwithbias_mul",
    "fuse_bias_add",
)
_OPTIMIZE_FP32 = (
    "strip_unused",
    "inline_functions",
    "widen_half",
    "unfuse_ops",
    "remove_training_nodes",
    "fold_loop_invariants",
    "fold_constants",
    "fix_training_switches",
    "fold_constants",  # what the switches decide
    "fold_constant_branches",
    "inline_functions",  # of an If that is decided now
    "remove_training_nodes",  # what marked the branches
    "remove_assertions",
    "remove_dropout",
    "strip_unused",
    "fold_constants",  # what the branches hid
    "strip_unused",
    "merge_transposes",
    "write_clips_as_relus",
    "write_as_depthwise",
    "write_transposed_convs",
    "simplify_tensordot",
    "write_as_matmul",
    "delay_reshape",
    "merge_reshapes",
    "drop_zero_padding",
    "split_explicit_padding",
    "flatten_atrous_conv",
    "delay_batch_to_space",
    "delay_depth_to_space",
    *_FOLD_PIECES,
    "fold_batch_norms",
    "fold_old_batch_norms",
    *_FOLD_PIECES,  # what stands behind a fused batch norm
    "write_splits_as_slices",
    "convert_layout",
    "strip_unused",
)


def _load(names: Tuple[str, ...]) -> Tuple[Transform, ...]:
    return tuple(getattr(import_module("intel_quantization.transforms." + name), name) for name in names)


OPTIMIZE_FP32 = _load(_OPTIMIZE_FP32)


@dataclass(frozen=True)
class Applied:
    """One pass that ran: its name, and how many rewrites it did."""

    name: str
    count: int


def optimize(
    graph: Graph,
    passes: Tuple[Transform, ...] = OPTIMIZE_FP32,
    after_pass: Optional[Callable[[int, str, Graph], None]] = None,
) -> Tuple[Applied, ...]:
    """Run FP32 passes on a graph, in place.

    Args:
        graph: the graph; its outputs keep names, types and, up to float rounding, values.
        passes: in their order.
        after_pass: called with number, name and graph after each pass that changed something.

    Raises:
        BadInputError: the graph was broken from the start.
        InvalidGraphError: a pass broke an invariant.
    """
    try:
        verify(graph, "read")
    except InvalidGraphError as error:
        remedy = "TensorFlow would not run it, either; write the frozen graph anew"
        raise BadInputError(error.message.replace("after 'read' the", "the"), remedy) from error
    done = []
    version = 0
    idle_at: Dict[Transform, int] = {}  # which version of the graph a pass found nothing in
    for number, transform in enumerate(passes):
        count = 0 if idle_at.get(transform) == version else transform(graph)
        if count:
            version += 1
            verify(graph, transform.__name__)
        else:
            idle_at[transform] = version
        done.append(Applied(transform.__name__, count))
        if count and after_pass:
            after_pass(number, transform.__name__, graph)
    return tuple(done)


def refusals(graph: Graph, passes: Tuple[Transform, ...] = OPTIMIZE_FP32) -> Dict[str, str]:
    """Why the passes left nodes of an optimized graph as they are, by the nodes' names."""
    return rule.refusals(graph, passes)
