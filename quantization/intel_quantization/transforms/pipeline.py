"""The FP32 rewrites in their order, with the verifier between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Optional, Tuple

from intel_quantization.errors import BadInputError, InvalidGraphError
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.verify import verify
from intel_quantization.transforms.convert_layout import convert_layout
from intel_quantization.transforms.delay_batch_to_space import delay_batch_to_space
from intel_quantization.transforms.drop_zero_padding import drop_zero_padding
from intel_quantization.transforms.fix_training_switches import fix_training_switches
from intel_quantization.transforms.flatten_atrous_conv import flatten_atrous_conv
from intel_quantization.transforms.fold_batch_norms import fold_batch_norms
from intel_quantization.transforms.fold_constant_branches import fold_constant_branches
from intel_quantization.transforms.fold_constants import fold_constants
from intel_quantization.transforms.fold_convolutionwithbias_mul import fold_convolutionwithbias_mul
from intel_quantization.transforms.fold_old_batch_norms import fold_old_batch_norms
from intel_quantization.transforms.fold_subdivmul_batch_norms import fold_subdivmul_batch_norms
from intel_quantization.transforms.fuse_bias_add import fuse_bias_add
from intel_quantization.transforms.fuse_column_wise_mul import fuse_column_wise_mul
from intel_quantization.transforms.inline_functions import inline_functions
from intel_quantization.transforms.merge_reshapes import merge_reshapes
from intel_quantization.transforms.merge_transposes import merge_transposes
from intel_quantization.transforms.remove_assertions import remove_assertions
from intel_quantization.transforms.remove_dropout import remove_dropout
from intel_quantization.transforms.remove_training_nodes import remove_training_nodes
from intel_quantization.transforms.split_explicit_padding import split_explicit_padding
from intel_quantization.transforms.strip_unused import strip_unused

Transform = Callable[[Graph], int]

_FOLD_PIECES: Tuple[Transform, ...] = (
    fold_subdivmul_batch_norms,
    fuse_column_wise_mul,
    fold_convolutionwithbias_mul,
    fuse_bias_add,
)
OPTIMIZE_FP32: Tuple[Transform, ...] = (
    strip_unused,
    inline_functions,
    remove_training_nodes,
    fold_constants,
    fix_training_switches,
    fold_constants,  # what the switches decide
    fold_constant_branches,
    inline_functions,  # of an If that is decided now
    remove_training_nodes,  # what marked the branches
    remove_assertions,
    remove_dropout,
    strip_unused,
    fold_constants,  # what the branches hid
    strip_unused,
    merge_transposes,
    merge_reshapes,
    drop_zero_padding,
    split_explicit_padding,
    flatten_atrous_conv,
    delay_batch_to_space,
    *_FOLD_PIECES,
    fold_batch_norms,
    fold_old_batch_norms,
    *_FOLD_PIECES,  # what stands behind a fused batch norm
    convert_layout,
    strip_unused,
)


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
