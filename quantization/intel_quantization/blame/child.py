"""``python -m intel_quantization.blame.child FOLDER``: find what layers lose, in a process of its own."""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from intel_quantization.blame.blame import find_blame
from intel_quantization.child import end_with_parent
from intel_quantization.conversion import Conversion
from intel_quantization.errors import QuantizationError
from intel_quantization.measure.runner import Runner
from intel_quantization.quantize.quantize_graph import Options

REQUEST, RESULT = "request.pickle", "blame.pickle"


@dataclass(frozen=True)
class Request:
    """What is asked, as of :func:`intel_quantization.blame.blame.find_blame`; ``timed``: what times are taken with."""

    conversion: Conversion
    options: Options
    batches: List[Dict[str, Any]]
    samples: int
    threads: Optional[int]
    timed: Dict[str, Any]


def main(folder: str) -> None:
    """Write the Blame, or as a text why there is none."""
    end_with_parent()
    with open(os.path.join(folder, REQUEST), "rb") as stream:
        request: Request = pickle.load(stream)
    conversion, outputs = request.conversion, [info.name for info in request.conversion.outputs]
    try:
        with Runner(conversion.fp32_graph, outputs, request.threads, "the FP32 graph") as fp32, Runner(
            conversion.graph, outputs, request.threads, "the INT8 graph"
        ) as int8:
            found: Any = find_blame(
                conversion,
                request.options,
                request.batches,
                request.samples,
                request.threads or 0,
                (fp32, int8, request.timed),
            )
    except QuantizationError as error:
        found = error.message
    with open(os.path.join(folder, RESULT), "wb") as stream:
        pickle.dump(found, stream)


if __name__ == "__main__":
    from intel_quantization.blame.child import main as run  # so that what is pickled has its proper name

    run(sys.argv[1])
