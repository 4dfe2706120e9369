"""Convert a graph with this package's defaults: ours.py FOLDER RESULT; prints JSON as convert.py does."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from intel_quantization.graph_converter import GraphConverter

_BATCH = 2  # the command's


def main() -> None:
    """Convert."""
    folder, result = Path(sys.argv[1]), sys.argv[2]
    spec = json.loads((folder / "spec.json").read_text())
    images = np.load(folder / "calibration.npy")
    batch = 1 if spec["batch"] == 1 else _BATCH
    feeds = [{spec["source"]: images[start : start + batch]} for start in range(0, len(images), batch)]
    names = [name.partition(":")[0] for name in spec["outputs"]]
    start = time.perf_counter()
    GraphConverter(
        str(folder / "fp32.pb"),
        result,
        [spec["source"].partition(":")[0]],
        names,
        per_channel=True,
        calibration_data=feeds,
    ).convert()
    seconds = time.perf_counter() - start
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "peak_mb": int(line.split()[1]) / 1024}))


if __name__ == "__main__":
    main()
