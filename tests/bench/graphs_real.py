"""The real graphs of ../shared: what becomes INT8, paired accuracy, speed, and what the conversion costs.

For each graph, in a process of its own: convert with 100 calibration images, then compare FP32 and INT8 on all labelled
images that were not used for calibration: top-1, or COCO AP of a detector (see detection.py). Speed is measured in
turns with one thread; times are medians.

Usage: graphs_real.py [NAME ...] [--draws N]       names are parts of file names; N calibration draws, 1 by default
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from real_graphs import CALIBRATION, SHARED, Case
from real_graphs import CASES as ALL

from intel_quantization.data.feeds import ImageFeed
from intel_quantization.data.images import Image
from intel_quantization.graph.io import read_graph
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.job_stages.run_context import ALGORITHM
from intel_quantization.measure import benchmark
from intel_quantization.measure.runner import Runner
from intel_quantization.reading.interface import find_inputs, find_outputs

# accuracy.py has them all; here are those with images in files that the product's own feed takes in a mode it has
_WITH_IMAGES = ("imagenet", "cifar", "coco")
CASES = tuple(case for case in ALL if case.images in _WITH_IMAGES and case.mode != "unit" and case.measure != "iou")


def images_of(case: Case, folder: Path) -> list[Image]:
    """The images with their labels; the CIFAR ones are written to ``folder`` as PNG files."""
    if case.images == "imagenet":
        with open(SHARED / "images" / "imagenet_labelled_500.csv", newline="") as file:
            rows = [(row["file"], int(row["label"])) for row in csv.DictReader(file)]
        return [Image(str(SHARED / "images" / "imagenet_labelled_500" / name), label) for name, label in rows]
    if case.images == "coco":
        return [Image(str(path), None) for path in sorted((SHARED / "images" / "coco128_val").iterdir())]
    import tensorflow as tf

    data = np.load(SHARED / "images" / "cifar10_test_2000.npz")
    result = []
    labels = data["labels"].reshape(-1)
    for number, pixels in enumerate(data["images"]):
        path = folder / f"{number:04d}.png"
        path.write_bytes(tf.io.encode_png(pixels).numpy())
        result.append(Image(str(path), int(labels[number])))
    return result


def measure(case: Case, draw: int) -> dict[str, object]:
    """All figures of one conversion."""
    with tempfile.TemporaryDirectory() as folder:
        images = images_of(case, Path(folder))
        order = np.random.RandomState(draw).permutation(len(images))
        chosen = [images[index] for index in order[:CALIBRATION]]
        others = [images[index] for index in order[CALIBRATION:]] or images
        graph = read_graph(str(case.path))
        tensor, outputs = find_inputs(graph)[0], [info.name for info in find_outputs(graph)]
        start = time.perf_counter()

        def convert(some):
            feed = ImageFeed(None, tensor, case.mode, None, some)
            return GraphConverter(graph, per_channel=True, algo=ALGORITHM, calibration_data=feed).convert()

        conversion = convert(chosen)
        found: dict[str, object] = {
            "seconds": time.perf_counter() - start,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "ops": [(row.op, row.total, row.int8, row.fp32) for row in conversion.op_table],
            "reasons": sorted({f"{item.op}: {item.reason}" for item in conversion.decisions if item.reason}),
        }
        with Runner(conversion.input_graph, outputs, 1) as fp32, Runner(conversion.graph, outputs, 1) as int8:
            if case.images == "coco":
                found["detection"] = detected(case, [images[index] for index in order], convert, tensor)
            else:
                found["accuracy"] = paired(case, fp32, int8, ImageFeed(None, tensor, case.mode, 10, others))
            layout = ImageFeed(None, tensor, case.mode, 1, chosen).layout
            for batch in (1, 32) if layout.batch is None and layout.size else (layout.batch or 1,):
                feed = next(iter(ImageFeed(None, tensor, case.mode, batch, chosen[:batch])))
                timing = benchmark.measure(fp32, int8, feed, batch)
                found[f"batch {batch}"] = (timing.fp32_ms, timing.int8_ms, timing.speedup)
        return found


def detected(case: Case, images: list[Image], convert, tensor) -> dict[str, float]:
    """COCO AP of both graphs; empty without pycocotools."""
    if importlib.util.find_spec("pycocotools") is None:
        return {}
    import detection

    def graphs(chosen):
        conversion = convert(chosen)
        return conversion.input_graph, conversion.graph

    truth = detection.Truth(SHARED / "images" / "coco128_val_labels_instances.json", dict(case.categories))
    return detection.compare(truth, images, graphs, lambda some: ImageFeed(None, tensor, case.mode, 1, some))


def paired(case: Case, fp32: Runner, int8: Runner, feed: ImageFeed) -> dict[str, float]:
    """Top-1 of both graphs in percent, and how many images only one of them gets right."""
    right = []
    for batch in feed.batches():
        count = len(batch.images)
        labels = np.array([image.label for image in batch.images]) + case.offset
        answers = [np.asarray(runner.run(batch.feed)[0]) for runner in (fp32, int8)]
        best = [rows.reshape(rows.shape[0], -1)[:count].argmax(axis=1) for rows in answers]
        right.append(np.stack([best[0] == labels, best[1] == labels], axis=1))
    table = np.concatenate(right)
    return {
        "images": len(table),
        "fp32": 100 * table[:, 0].mean(),
        "int8": 100 * table[:, 1].mean(),
        "only_fp32": int((table[:, 0] & ~table[:, 1]).sum()),
        "only_int8": int((~table[:, 0] & table[:, 1]).sum()),
    }


def show(case: Case, draw: int, found: dict) -> None:
    """Print the figures of one conversion."""
    print(f"\n{case.graph}, calibration draw {draw}: {found['seconds']:.1f} s, peak {found['peak_mb']:.0f} MB")
    print(f"  {'Op':24}{'total':>7}{'INT8':>7}{'FP32':>7}")
    for op, total, int8, fp32 in found["ops"]:
        print(f"  {op:24}{total:7}{int8:7}{fp32:7}")
    for reason in found["reasons"]:
        print(f"  left in FP32: {reason}")
    if "accuracy" in found:
        each = found["accuracy"]
        print(
            f"  top-1 on {each['images']} images: FP32 {each['fp32']:.2f}, INT8 {each['int8']:.2f}; "
            f"only FP32 right {each['only_fp32']}, only INT8 right {each['only_int8']}"
        )
    if found.get("detection"):
        each = found["detection"]
        print(
            f"  COCO on {each['images']} images: AP FP32 {each['ap']:.2f}, INT8 {each['ap_int8']:.2f}; "
            f"AP50 {each['ap50']:.2f}, {each['ap50_int8']:.2f}"
        )
    for key, value in found.items():
        if key.startswith("batch"):
            print(f"  {key}: {value[0]:.2f} ms -> {value[1]:.2f} ms, {value[2]:.2f} x")
    sys.stdout.flush()


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--one", nargs=2, metavar=("GRAPH", "DRAW"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        case = next(case for case in CASES if case.graph == arguments.one[0])
        print(json.dumps(measure(case, int(arguments.one[1])), default=float))
        return 0
    for case in CASES:
        if arguments.names and not any(name in case.graph for name in arguments.names):
            continue
        for draw in range(arguments.draws):
            # a process of its own, so that its peak of memory is that of one conversion
            command = [sys.executable, __file__, "--one", case.graph, str(draw)]
            child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            show(case, draw, json.loads(child.stdout.splitlines()[-1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
