"""The demo: a network for handwritten digits is trained, then quantized by the command that a user would type.

    python3 quantization/examples/digits/demo.py [--runtime docker|local] [--folder build/demo]

Trains in the very environment that quantizes later (a container, or the local one), so that the host needs no
TensorFlow. Ends with status 1 if INT8 loses more than half a point.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import data

MOST_LOST = 0.5
"""Percentage points of top-1 that INT8 may lose."""

_TRAIN = "python3 quantization/examples/digits/train.py dataset/training.npz output/digits.pb\n"


def launch(arguments: list[str], script: str | None = None) -> int:
    """Print and run ``launch_quantization`` with ``arguments``; ``script`` is its stdin. Returns its exit status."""
    shown = shlex.join(["launch_quantization", *arguments])
    print(f"\n$ {shown}" + (f" <<< {shlex.quote(script.strip())}" if script else ""), flush=True)
    command = [str(Path(sys.executable).with_name("launch_quantization")), *arguments]
    return subprocess.run(command, input=script, text=True, check=False).returncode


def verdict(report: dict[str, Any]) -> tuple[bool, str]:
    """Whether INT8 is accurate enough, and the closing line, from the contents of a report.json."""
    accuracy, latency, size = report["accuracy"], report["latency"], report["size"]
    lost = accuracy["top1_fp32"] - accuracy["top1_int8"]
    good = lost <= MOST_LOST + 1e-9
    line = (
        f"{accuracy['images']} held-out digits: top-1 {accuracy['top1_fp32']:.1f} % in FP32, "
        f"{accuracy['top1_int8']:.1f} % in INT8; {latency['fp32_ms']:.2f} -> {latency['int8_ms']:.2f} ms "
        f"({latency['speedup']:.2f}x); {size['fp32'] / 1e3:.0f} -> {size['int8'] / 1e3:.0f} kB"
    )
    if not good:
        line += f"\ndemo: error: INT8 loses {lost:.1f} points; at most {MOST_LOST} are allowed"
    return good, line


def main() -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--runtime", choices=("auto", "docker", "local"), default="auto")
    parser.add_argument("--folder", type=Path, default=Path("build/demo"))
    options = parser.parse_args()
    folder = options.folder
    chosen = [] if options.runtime == "auto" else ["--runtime", options.runtime]

    folder.mkdir(parents=True, exist_ok=True)
    pictures, training = data.write(folder)
    print(f"1. {sum(1 for _ in pictures.rglob('*.png'))} held-out digits are in {pictures}, one folder a class.")

    graph = folder / "digits.pb"
    graph.unlink(missing_ok=True)
    print("2. A network learns the other digits, in the environment that the launcher makes.")
    arguments = ["--debug", "--data_location", str(training), "--out_graph", str(graph), *chosen]
    status = launch(arguments, _TRAIN)
    if status != 0 or not graph.is_file():
        print(f"demo: error: the training ended with status {status} and left no {graph}", file=sys.stderr)
        return status or 1

    print("\n3. The frozen FP32 graph becomes an INT8 graph. This is all that you type:")
    status = launch(["--in_graph", str(graph), "--data_location", str(pictures), *chosen])
    if status != 0:
        return status
    good, line = verdict(json.loads((folder / "digits_int8.report.json").read_text()))
    print("\n" + line)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
