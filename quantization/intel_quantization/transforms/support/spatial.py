"""Zero padding of the two spatial dimensions, in NHWC and in NCHW."""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np

from intel_quantization.graph.attributes import attribute, is_channels_last
from intel_quantization.graph.graph import NodeDef

# rows ahead and behind, columns ahead and behind
Margins = Tuple[int, int, int, int]


def spatial_axes(node: NodeDef) -> Tuple[int, int]:
    """The axes of rows and columns of what a convolution or pool reads, by its data format."""
    return (1, 2) if is_channels_last(node) else (2, 3)


def explicit_margins(conv: NodeDef) -> Optional[Margins]:
    """What a convolution pads by itself: nothing with VALID, explicit_paddings with EXPLICIT; None with SAME."""
    padding = attribute(conv, "padding").s
    if padding == b"VALID":
        return 0, 0, 0, 0
    if padding != b"EXPLICIT":
        return None
    sizes = np.array(attribute(conv, "explicit_paddings").list.i).reshape(4, 2)
    top, bottom, left, right = (int(size) for size in sizes[list(spatial_axes(conv))].reshape(-1))
    return top, bottom, left, right


def paddings_of(margins: Margins, axes: Tuple[int, int]) -> np.ndarray:
    """Margins as the operand of a Pad, int32 of shape [4, 2]."""
    result = np.zeros((4, 2), np.int32)
    result[list(axes)] = np.array(margins).reshape(2, 2)
    return result


def set_margins(conv: NodeDef, margins: Margins) -> None:
    """Let a Conv2D pad by itself: VALID where there is nothing to pad, else EXPLICIT."""
    if "explicit_paddings" in conv.attr:
        del conv.attr["explicit_paddings"]
    conv.attr["padding"].s = b"EXPLICIT" if any(margins) else b"VALID"
    if any(margins):
        sizes: List[int] = [int(size) for size in paddings_of(margins, spatial_axes(conv)).reshape(-1)]
        conv.attr["explicit_paddings"].list.i.extend(sizes)
