"""An INT8 tensor of the graph that is being made, with its range."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from intel_quantization.graph.attributes import DT_INT8, DT_QINT8, DT_QUINT8, DT_UINT8


@dataclass(frozen=True)
class Int8Tensor:
    """An INT8 tensor in the graph.

    Attributes:
        tensor: its name.
        unsigned: quint8 for [0, limit], else qint8 for [-limit, limit].
        limit: the upper end of its range.
        low: name of the float32 scalar constant with the lower end of its range.
        high: the same for the upper end.
        offset: what was added to the values to make them positive, a scalar or one number for each channel, float64;
            see :mod:`intel_quantization.quantize.lifting`.
    """

    tensor: str
    unsigned: bool
    limit: float
    low: str
    high: str
    offset: np.ndarray = field(default_factory=lambda: np.float64(0.0))

    @property
    def dtype(self) -> int:
        """Its DataType number."""
        return DT_QUINT8 if self.unsigned else DT_QINT8

    def round(self, values: np.ndarray) -> np.ndarray:
        """The nearest values that it can have: float32.

        Args:
            values: of the tensor, divided by its scales where it has some.
        """
        step = np.float32(self.limit / (255.0 if self.unsigned else 127.0))
        offset = np.asarray(self.offset, np.float32)
        levels = np.clip(
            np.rint((values + offset) / step), 0.0 if self.unsigned else -127.0, 255.0 if self.unsigned else 127.0
        )
        return levels.astype(np.float32) * step - offset


def as_bytes(dtype: int) -> int:
    """The type without a range that has the same bits: uint8 for quint8, int8 for qint8."""
    return DT_UINT8 if dtype == DT_QUINT8 else DT_INT8
