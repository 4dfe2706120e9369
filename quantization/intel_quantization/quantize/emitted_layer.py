"""How a group became INT8: what whoever measures the layer by itself has to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from intel_quantization.kinds.group import Group
from intel_quantization.kinds.int8_tensor import Int8Tensor


@dataclass(frozen=True)
class EmittedLayer:
    """A group in the INT8 graph.

    Attributes:
        group: as it was emitted.
        node: name of its INT8 op.
        source: what it reads.
        summand: of a residual addition; None without one.
        result: what it gives; None where that is float32.
        source_scale: what the source's values are divided by before they are INT8, [channels]; None: by nothing.
        result_scale: the same of the result's.
        shared: the groups whose results have one range with this one's, itself among them.
        by_channel: whether its weights have one range for each output channel.
    """

    group: Group
    node: str
    source: Int8Tensor
    summand: Optional[Int8Tensor]
    result: Optional[Int8Tensor]
    source_scale: Optional[np.ndarray]
    result_scale: Optional[np.ndarray]
    shared: Tuple[str, ...]
    by_channel: bool
