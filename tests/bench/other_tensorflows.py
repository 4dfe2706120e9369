"""Whether the INT8 graphs give in other TensorFlow versions what they give in the one that made them.

The real graphs of ../shared are converted here and run on 50 images here and by each other Python, which needs
nothing but TensorFlow. The largest difference of a float is told, and how often the largest value of the first output
is at the same place; beside it the same for FP32, whose differences are those of float rounding.

Usage: other_tensorflows.py [--target VERSION] [--names PART,PART] PYTHON ...
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from graphs_real import CASES, images_of
from real_graphs import SHARED, Case

from intel_quantization.data.feeds import ImageFeed
from intel_quantization.graph.io import read_graph
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.reading.interface import find_inputs, find_outputs

IMAGES = 50
RUNNER = Path(__file__).with_name("run_graph.py")


def prepare(case: Case, target: str | None, folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Convert a graph and write inputs; returns the FP32 and the INT8 graph and the names of the outputs."""
    images = images_of(case, folder)
    order = np.random.RandomState(0).permutation(len(images))
    chosen, others = ([images[index] for index in part] for part in (order[:IMAGES], order[-IMAGES:]))
    paths = {"FP32": SHARED / "models" / f"{case.graph}.pb", "INT8": folder / "int8.pb"}
    graph = read_graph(str(paths["FP32"]))
    tensor = find_inputs(graph)[0]
    GraphConverter(
        graph,
        str(paths["INT8"]),
        per_channel=True,
        calibration_data=ImageFeed(None, tensor, case.mode, None, chosen),
        target_tensorflow=target,
    ).convert()
    feeds = [next(iter(ImageFeed(None, tensor, case.mode, 1, [image]))) for image in others]
    np.savez(
        folder / "inputs.npz",
        **{f"{number}|{name}": value for number, feed in enumerate(feeds) for name, value in feed.items()},
    )
    return paths, [info.name for info in find_outputs(graph)]


def run(python: str, graph: Path, outputs: list[str], folder: Path) -> tuple[str, list[list[np.ndarray]]]:
    """Run a graph with a Python; returns which TensorFlow it has, and for each output the values of all images."""
    results = folder / "results.npz"
    command = [python, str(RUNNER), str(graph), str(folder / "inputs.npz"), str(results), *outputs]
    surroundings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    surroundings.update(TF_ENABLE_ONEDNN_OPTS="1", TF_CPP_MIN_LOG_LEVEL="2", OMP_NUM_THREADS="1")
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return f"{python}: exit status {done.returncode}: {last[:120]}", []
    with np.load(results) as found:
        values = [[found[f"{number}|{name}"] for number in range(IMAGES)] for name in outputs]
    return done.stdout.split("\n")[0], values


def difference(here: list[list[np.ndarray]], there: list[list[np.ndarray]]) -> str:
    """What to tell of two sets of results."""
    pairs = [list(zip(*values, strict=True)) for values in zip(here, there, strict=True)]
    if any(first.shape != second.shape for pair in pairs for first, second in pair):
        return "the shapes of results differ"
    floats = [both for pair in pairs for both in pair if both[0].dtype.kind == "f"]
    apart = [(first != second, first, second) for first, second in floats]
    largest = max(np.abs(first[unequal] - second[unequal]).max(initial=0) for unequal, first, second in apart)
    same = sum(int(first.argmax() == second.argmax()) for first, second in pairs[0])
    return f"largest difference {largest:.2g}, same largest {same}/{IMAGES}"


def main() -> None:
    """Convert, run, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", metavar="VERSION")
    parser.add_argument("--names", default="", metavar="PART,PART")
    parser.add_argument("pythons", nargs="+", metavar="PYTHON")
    arguments = parser.parse_args()
    for case in CASES:
        if not any(part in case.graph for part in arguments.names.split(",")):
            continue
        print(case.graph)
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            paths, outputs = prepare(case, arguments.target, folder)
            for kind, path in paths.items():
                here = run(sys.executable, path, outputs, folder)
                for python in arguments.pythons:
                    there = run(python, path, outputs, folder)
                    told = difference(here[1], there[1]) if here[1] and there[1] else "it does not run"
                    print(f"  {kind} in {there[0]} against {here[0]}: {told}", flush=True)


if __name__ == "__main__":
    main()
