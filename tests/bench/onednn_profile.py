"""Where the time of a graph goes: milliseconds a run in each kind of oneDNN primitive, by its log, and outside oneDNN.

Usage: onednn_profile.py GRAPH.pb [GRAPH.pb ...] [--batch N] [--runs N] [--isa ISA] [--detail] [--shapes]
  --detail   by kernel, too
  --shapes   by data formats and shape, too
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

BEGIN, END = "profile: begin", "profile: end"


def run(path: str, batch: int, runs: int) -> None:
    """In a process of its own: run the graph with marks ahead of and behind the runs that count."""
    from intel_quantization.graph.io import read_graph
    from intel_quantization.measure.runner import Runner
    from intel_quantization.reading.interface import find_inputs, find_outputs

    graph = read_graph(path)
    generator = np.random.RandomState(0)
    feed = {}
    for info in find_inputs(graph):
        shape = [batch if number == 0 else size for number, size in enumerate(info.shape or ())]
        if any(size is None or size < 0 for size in shape):
            raise SystemExit(f"onednn_profile: error: the shape of {info.name} is not known: {shape}")
        feed[info.name] = generator.uniform(-1, 1, shape).astype(info.dtype)
    with Runner(graph, [info.name for info in find_outputs(graph)], 1) as runner:
        for _ in range(3):
            runner.run(feed)
        print(BEGIN, flush=True)
        start = time.perf_counter()
        for _ in range(runs):
            runner.run(feed)
        taken = time.perf_counter() - start
        print(END, taken, flush=True)


def profile(path: str, batch: int, runs: int, isa: str | None) -> tuple[float, list[list[str]]]:
    """Seconds of all runs, and the lines of oneDNN's log about them, in fields."""
    settings = {"ONEDNN_VERBOSE": "1", "OMP_NUM_THREADS": "1", "TF_ENABLE_ONEDNN_OPTS": "1"}
    if isa:
        settings["ONEDNN_MAX_CPU_ISA"] = isa
    command = [sys.executable, __file__, path, "--batch", str(batch), "--runs", str(runs), "--inside"]
    output = subprocess.run(
        command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()
    begin = output.index(BEGIN)
    end, last = next((number, line) for number, line in enumerate(output) if line.startswith(END))
    fields = [line.split(",") for line in output[begin:end] if line.startswith("onednn_verbose")]
    return float(last.split()[-1]), [line[line.index("exec") :] for line in fields if "exec" in line]


def show(path: str, seconds: float, log: list[list[str]], runs: int, columns: tuple[int, ...]) -> None:
    """Print a table; ``columns`` are the fields of the log that tell its rows apart."""
    whole = seconds * 1000 / runs
    sums: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for fields in log:
        sums[tuple(fields[column] for column in columns)].append(float(fields[-1]))
    inside = sum(sum(times) for times in sums.values()) / runs
    print(f"\n{Path(path).name}: {whole:.3f} ms a run, {inside:.3f} ms in oneDNN, {whole - inside:.3f} ms elsewhere")
    for key, times in sorted(sums.items(), key=lambda item: -sum(item[1])):
        each = sum(times) / runs
        print(f"  {each:9.3f} ms {100 * each / whole:5.1f} % {len(times) / runs:7.1f} calls  {' '.join(key)}")


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs", nargs="+", metavar="GRAPH.pb")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--isa")
    parser.add_argument("--detail", action="store_true")
    parser.add_argument("--shapes", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        run(arguments.graphs[0], arguments.batch, arguments.runs)
        return 0
    # of "exec,cpu,KIND,KERNEL,direction,formats,attributes,algorithm,SHAPE,milliseconds"
    columns = (2, *((3,) if arguments.detail else ()), *((5, 8) if arguments.shapes else ()))
    for path in arguments.graphs:
        seconds, log = profile(path, arguments.batch, arguments.runs, arguments.isa)
        show(path, seconds, log, arguments.runs, columns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
