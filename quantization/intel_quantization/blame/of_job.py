"""Blame as a part of a job: failures do not undo the result."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import tensorflow as tf

from intel_quantization.blame.blame import Blame, find_blame
from intel_quantization.conversion import Conversion
from intel_quantization.errors import QuantizationError
from intel_quantization.events import EventStream
from intel_quantization.measure.runner import Runner
from intel_quantization.quantize.quantize_graph import Options

SAMPLES = 16
_MOST_BYTES = 1 << 30  # of both graphs: protobuf takes no more than 2 GB, and some of it stands there twice


def blame_of_job(
    conversion: Conversion,
    options: Options,
    feed: Any,
    threads: Optional[int],
    runners: Tuple[Runner, Runner],
    events: EventStream,
) -> Optional[Blame]:
    """What layers lose; None where that is not to be had, which is told.

    Args:
        conversion: of the job.
        options: by which it was quantized.
        feed: some samples, such as those that calibrated.
        threads: within an op.
        runners: of both graphs.
        events: of the job.
    """
    if not conversion.layers:
        return None
    size = conversion.fp32_graph.ByteSize() + conversion.graph.ByteSize()
    if size > _MOST_BYTES:
        events.log("which layers lose was not measured: both graphs together are too large for one", "warning")
        return None
    try:
        found = list(feed.batches())
        if not found:
            return None
        batches = [batch.feed for batch in found]
        count = sum(len(batch.images) for batch in found)
        times: Tuple[Runner, Runner, Dict[str, Any]] = (*runners, batches[0])
        return find_blame(conversion, options, batches, count, threads or 0, times)
    except (QuantizationError, tf.errors.OpError, ValueError, TypeError, KeyError) as error:
        # the graph is made and compared: what cannot be taken apart is no reason to lose it
        told = error.message if isinstance(error, QuantizationError) else f"{type(error).__name__}: {error}"
        events.log(f"which layers lose was not measured: {told[:300]}", "warning")
        return None
