"""The errors of each layer, from one pass over some samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np
import tensorflow as tf

from intel_quantization.blame.paired_graph import PairedGraph, Probe
from intel_quantization.graph.session import session_config
from intel_quantization.measure.runner import as_error

_TINY = 1e-30
_FIELDS = ("power", "local", "accumulated", "shift", "values", "read", "damage", "source", "result")


@dataclass
class RangeError:
    """What the range of a tensor does to FP32's values.

    Attributes:
        clipped_share: of the values, how many lie outside.
        clipped: the share of the tensor's power that is lost by that.
        rounded: the share that is lost by rounding those inside.
    """

    clipped_share: float = 0.0
    clipped: float = 0.0
    rounded: float = 0.0


@dataclass
class LayerError:
    """How wrong a layer is; shares are of the power of what FP32 gives.

    Attributes:
        linear: the name of its linear op.
        local: what it loses when it reads FP32's values.
        accumulated: what is wrong of it in the INT8 graph.
        shift: the part of ``local`` that is one and the same in all values of a channel.
        read: the part of ``local`` that comes from the range of what it reads.
        damage: how much of the outputs' power its local error moves; None where that is not known.
        source, result: of the ranges of what it reads and gives; None where that is float32.
    """

    linear: str
    local: float
    accumulated: float
    shift: float
    read: float
    damage: Optional[float]
    source: RangeError
    result: Optional[RangeError] = field(default=None)


def measure_layers(
    paired: PairedGraph,
    batches: Iterable[Dict[str, Any]],
    threads: int = 0,
    on_batch: Callable[[int], None] = lambda done: None,
) -> Dict[str, LayerError]:
    """Run the paired graph; by the name of the linear op.

    Args:
        paired: of both graphs.
        batches: feed dicts.
        threads: within an op; 0: as many as there are cores.
        on_batch: called with the number of batches so far.

    Raises:
        QuantizationError: an op failed.
    """
    fetches: List[Any] = []
    places: Dict[Tuple[str, str], int] = {}
    for linear, probe in paired.probes.items():
        for name in _FIELDS:
            tensor = getattr(probe, name)
            if tensor is not None:
                places[linear, name] = len(fetches)
                fetches.append(tensor)
    outputs = None if paired.output_power is None else len(fetches)
    if paired.output_power is not None:
        fetches.append(paired.output_power)
    sums: List[Any] = [0.0] * len(fetches)
    # as it is: Grappler's remapper fails on graphs of which so much is fetched, and takes longer than the runs
    with tf.compat.v1.Session(graph=paired.graph, config=session_config(threads, as_it_is=True)) as session:
        for number, batch in enumerate(batches):
            try:
                found = session.run(fetches, paired.feed(batch))
            except (ValueError, TypeError, tf.errors.OpError) as error:
                raise as_error(error, "the pair of graphs") from None
            for place, value in enumerate(found):
                if np.isfinite(value).all():
                    sums[place] = sums[place] + np.asarray(value, np.float64)
            on_batch(number + 1)
    powers = None if outputs is None or not np.all(sums[outputs]) else float(sums[outputs])
    return {linear: _error(linear, probe, places, sums, powers) for linear, probe in paired.probes.items()}


def _error(
    linear: str, probe: Probe, places: Dict[Tuple[str, str], int], sums: List[Any], outputs: Optional[float]
) -> LayerError:
    def total(name: str) -> Any:
        return sums[places[linear, name]]

    power, values = float(total("power")) + _TINY, float(total("values"))
    shift = np.atleast_1d(total("shift"))
    # the mean error of a channel, as often as it has values
    shifted = float(np.square(shift).sum()) / max(values / shift.size, 1.0) / power
    damage = float(total("damage")) / outputs if probe.damage is not None and outputs else None
    local = float(total("local")) / power
    return LayerError(
        linear,
        local,
        float(total("accumulated")) / power,
        min(shifted, local),
        float(total("read")) / power,
        damage,
        _range_error(total("source")),
        None if probe.result is None else _range_error(total("result")),
    )


def _range_error(sums: Any) -> RangeError:
    outside, clipped, rounded, power, count = (float(each) for each in np.atleast_1d(sums))
    power += _TINY
    return RangeError(outside / max(count, 1.0), clipped / power, rounded / power)
