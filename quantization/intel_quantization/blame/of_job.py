"""Blame as a part of a job: on data that calibrated, and with failures that do not undo the result."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import tensorflow as tf

from intel_quantization.blame.blame import Blame, find_blame
from intel_quantization.calibration.dataset import Dataset
from intel_quantization.conversion import Conversion
from intel_quantization.errors import QuantizationError
from intel_quantization.events import EventStream
from intel_quantization.quantize.quantize_graph import Options
from intel_quantization.runner import Runner

SAMPLES = 16
_MOST_BYTES = 1 << 30  # of both graphs: protobuf takes no more than 2 GB, and some of it stands there twice


def blame_of_job(
    conversion: Conversion,
    options: Options,
    data: Optional[Dataset],
    feed: Any,
    threads: Optional[int],
    runners: Tuple[Runner, Runner],
    events: EventStream,
) -> Optional[Blame]:
    """What layers lose; None where that is not to be had, which is told.

    Args:
        conversion: of the job.
        options: by which it was quantized.
        data: of the job; None without any.
        feed: callable(part of the data) -> a feed.
        threads: within an op.
        runners: of both graphs.
        events: of the job.
    """
    part = None if data is None else data.split.calibration[:SAMPLES]
    if data is None or not part or not conversion.layers:
        return None
    size = conversion.fp32_graph.ByteSize() + conversion.graph.ByteSize()
    if size > _MOST_BYTES:
        events.log("which layers lose was not measured: both graphs together are too large for one", "warning")
        return None
    batches = [batch.feed for batch in feed(part).batches()]
    if not batches:
        return None
    times: Tuple[Runner, Runner, Dict[str, Any]] = (*runners, batches[0])
    try:
        return find_blame(conversion, options, batches, len(part), threads or 0, times)
    except (QuantizationError, tf.errors.OpError, ValueError, TypeError, KeyError) as error:
        # the graph is made and compared: what cannot be taken apart is no reason to lose it
        told = error.message if isinstance(error, QuantizationError) else f"{type(error).__name__}: {error}"
        events.log(f"which layers lose was not measured: {told[:300]}", "warning")
        return None
