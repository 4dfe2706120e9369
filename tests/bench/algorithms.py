"""Which calibration algorithm is best on the real graphs of ../shared: paired top-1, flips and SQNR for each.

For each graph and draw: calibrate once on 100 images, quantize with every algorithm, and compare with FP32 on the
labelled images that were not drawn. Of detectors, what goes into their post-processing is compared, not what comes out.

Usage: algorithms.py [NAME ...] [--draws N]       names are parts of file names; N calibration draws, 3 by default
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import graphs_real
import numpy as np
from real_graphs import CALIBRATION, Case

from intel_quantization import graph_converter
from intel_quantization.data import class_scores
from intel_quantization.data.feeds import ImageFeed
from intel_quantization.graph.io import read_graph
from intel_quantization.measure.runner import Runner
from intel_quantization.reading.interface import find_inputs, find_outputs
from intel_quantization.stages import calibrate as stage


def compared_outputs(graph, case: Case) -> list[str]:
    """The tensors to compare: the graph's scores, or both concatenations of a detector's branches."""
    if case.images != "coco":
        return [find_outputs(graph)[0].name]
    return ["concat:0", "concat_1:0"]  # boxes and scores, in both detectors


def answers(runner: Runner, feed: ImageFeed) -> list[np.ndarray]:
    """What a graph gives for all images: one array for each tensor, float32 [images, ...]."""
    rows = [[np.asarray(each)[: len(batch.images)] for each in runner.run(batch.feed)] for batch in feed.batches()]
    return [np.concatenate(arrays) for arrays in zip(*rows, strict=True)]


def measure(case: Case, draws: int) -> list[dict[str, object]]:
    """A row for each draw and algorithm."""
    calibrate, statistics = stage.calibrate, {}

    def once(*arguments, **options):
        if draw not in statistics:
            statistics[draw] = calibrate(*arguments, **options)
        return statistics[draw]

    stage.calibrate = once
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        images = graphs_real.images_of(case, Path(folder))
        graph = read_graph(str(case.path))
        tensor, names = find_inputs(graph)[0], compared_outputs(graph, case)
        with Runner(graph, names, 1) as fp32:
            wanted = answers(fp32, ImageFeed(None, tensor, case.mode, 10, images))
        for draw in range(draws):
            order = np.random.RandomState(draw).permutation(len(images))
            chosen = [images[index] for index in order[:CALIBRATION]]
            # of the 128 COCO images too few are left
            held_out = order[CALIBRATION:] if case.images != "coco" else order
            others = [images[index] for index in held_out]
            feed = ImageFeed(None, tensor, case.mode, None, chosen)
            for algo in graph_converter.ALGORITHMS:
                conversion = graph_converter.GraphConverter(
                    graph, per_channel=True, calibration_data=feed, algo=algo, threads=1
                ).convert()
                with Runner(conversion.graph, names, 1) as int8:
                    given = answers(int8, ImageFeed(None, tensor, case.mode, 10, others))
                references = [array[held_out] for array in wanted]
                labels = None if case.images == "coco" else [image.label + case.offset for image in others]
                found.append({"algo": algo, "draw": draw, **compared(references, given, labels)})
    return found


def compared(wanted, given, labels) -> dict[str, float]:
    """Top-1 lost in points, answers that changed, and SQNR in dB."""
    result: dict[str, float] = {}
    if labels is not None:
        before, after = (array[0].reshape(len(labels), -1) for array in (wanted, given))
        right = [np.asarray(rows.argmax(axis=1) == labels) for rows in (before, after)]
        result["lost"] = 100 * float(right[0].mean() - right[1].mean())
        result["flips"] = 100 * float((before.argmax(axis=1) != after.argmax(axis=1)).mean())
        result["worse"], result["better"] = int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum())
        wanted, given = ([class_scores.log_scores(rows.astype(np.float64), True)] for rows in (before, after))
    noise = sum(float(np.square(a.astype(np.float64) - b).sum()) for a, b in zip(wanted, given, strict=True))
    signal = sum(float(np.square(a.astype(np.float64)).sum()) for a in wanted)
    result["sqnr"] = 10 * float(np.log10(signal / noise))
    return result


def show(case: Case, rows: list[dict[str, float]]) -> None:
    """Print a table: means over the draws, and the smallest and largest."""
    print(f"\n{case.graph}")
    print(f"  {'':11}{'lost':>7}{'(each draw)':>26}{'worse/better':>14}{'flips %':>9}{'SQNR dB':>9}")
    for algo in dict.fromkeys(row["algo"] for row in rows):
        mine = [row for row in rows if row["algo"] == algo]
        line = f"  {algo:11}"
        if "lost" in mine[0]:
            lost = [row["lost"] for row in mine]
            each = " ".join(f"{value:6.2f}" for value in lost)
            worse, better = (sum(row[key] for row in mine) for key in ("worse", "better"))
            flips = np.mean([row["flips"] for row in mine])
            line += f"{np.mean(lost):7.2f}{each:>26}{f'{worse}/{better}':>14}{flips:9.2f}"
        else:
            line += " " * 56
        print(line + f"{np.mean([row['sqnr'] for row in mine]):9.2f}")
    sys.stdout.flush()


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--one", metavar="GRAPH", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        case = next(case for case in graphs_real.CASES if case.graph == arguments.one)
        print(json.dumps(measure(case, arguments.draws)))
        return 0
    for case in graphs_real.CASES:
        if arguments.names and not any(name in case.graph for name in arguments.names):
            continue
        command = [sys.executable, __file__, "--one", case.graph, "--draws", str(arguments.draws)]
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        show(case, json.loads(child.stdout.splitlines()[-1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
