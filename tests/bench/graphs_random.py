"""Networks with random weights: INT8 speed and accuracy, and what the conversion costs; beside another quantizer.

Batch norm is unfused, as trained. Graphs run in turns in one process with one thread; times are medians, ratios are
medians of the ratios of each turn. SQNR compares the logits of FP32 and INT8 on images that were not used for
calibration: log of the softmax, centred over the classes, 10 log10(sum FP32**2 / sum (INT8 - FP32)**2).

Usage: graphs_random.py [NET ...] [--keep DIR] [--isa AVX512_CORE_BF16] [--peer PYTHON]
  --peer   a Python with TensorFlow 2.14 and neural-compressor-tf, or $PEER_PYTHON; without one its columns are left out
  --isa    limits what oneDNN uses of the CPU (ONEDNN_MAX_CPU_ISA)
  --keep   leaves the graphs there, and takes from there the FP32 and the peer's graphs of an earlier run
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CALIBRATION, BATCH, HELD_OUT = 50, 10, 32
LEAST_TURNS, MOST_TURNS, BUDGET_SECONDS = 10, 200, 40.0
PEER = Path(__file__).with_name("peer_neural_compressor.py")


@dataclass(frozen=True)
class Net:
    """A network of tests/quantization/nets with the range of its images and the batches to time."""

    name: str
    module: str
    size: int
    low: float
    high: float
    batches: tuple[int, ...]
    input: str = "input:0"
    output: str = "predict:0"

    def pictures(self, count: int, seed: int) -> np.ndarray:
        """Random images; float32 [count, size, size, 3]."""
        from tests.quantization.nets.layers import pictures

        return pictures(count, self.size, seed, self.low, self.high)

    def build(self) -> Callable:
        """The function that builds it."""
        import importlib

        return getattr(importlib.import_module(f"tests.quantization.nets.{self.module}"), self.name)


NETS = (
    Net("resnet50", "resnet", 224, -124.0, 151.0, (1, 16)),
    Net("resnet50_v1_5", "resnet", 224, -124.0, 151.0, (1, 16), "input_tensor:0", "softmax_tensor:0"),
    Net("inception_v3", "inception", 299, -1.0, 1.0, (1, 32)),
    Net("mobilenet_v1_keras", "mobilenet", 224, -1.0, 1.0, (1, 16)),
)


# -- in processes of their own -------------------------------------------------------------------


def build(net: Net, folder: Path) -> None:
    """Write fp32.pb and calibration.npy."""
    from tests.quantization.nets.layers import freeze

    (folder / "fp32.pb").write_bytes(freeze(net.build(), {net.input: net.pictures(8, 0)}).SerializeToString())
    np.save(folder / "calibration.npy", net.pictures(CALIBRATION, 1))


def convert(net: Net, folder: Path) -> dict:
    """Write int8.pb."""
    from intel_quantization.graph_converter import GraphConverter

    images = np.load(folder / "calibration.npy")
    data = [{net.input: images[start : start + BATCH]} for start in range(0, len(images), BATCH)]
    stages: list[tuple[str, float]] = []
    start = time.perf_counter()
    conversion = GraphConverter(
        str(folder / "fp32.pb"),
        str(folder / "int8.pb"),
        per_channel=True,
        calibration_data=data,
        on_stage=lambda name: stages.append((name, time.perf_counter())),
    ).convert()
    stages.append(("", time.perf_counter()))
    return {
        "seconds": stages[-1][1] - start,
        "stages": {name: stages[number + 1][1] - begin for number, (name, begin) in enumerate(stages[:-1])},
        "peak_mb": peak_mb(),
        "ops": [(row.op, row.total, row.int8, row.fp32) for row in conversion.op_table],
        "reasons": sorted({f"{item.op}: {item.reason}" for item in conversion.decisions if item.reason}),
    }


def peak_mb() -> float:
    """The largest resident size of this process; getrusage would count that of the process that started it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def compare(net: Net, folder: Path) -> dict:
    """Time fp32.pb, int8.pb and the peer's graphs in turns, and compare their logits."""
    from intel_quantization.graph.io import read_graph
    from intel_quantization.measure.runner import Runner

    names = [name for name in ("fp32", "int8", "peer", "peer_channel") if (folder / f"{name}.pb").is_file()]
    runners = {name: Runner(read_graph(str(folder / f"{name}.pb")), [net.output], 1) for name in names}
    found: dict = {"sqnr": {}, "batches": {}}
    logits = {name: centred(runner, net) for name, runner in runners.items()}
    for name in names[1:]:
        error = logits[name] - logits["fp32"]
        found["sqnr"][name] = float(10 * np.log10((logits["fp32"] ** 2).sum() / (error**2).sum()))
    for batch in net.batches:
        found["batches"][batch] = timed(runners, {net.input: net.pictures(batch, 3)})
    return found


def centred(runner, net: Net) -> np.ndarray:
    """Centred log-softmax of the held-out images; float64 [images, classes]."""
    images = net.pictures(HELD_OUT, 2)
    rows = [np.asarray(runner.run({net.input: images[start : start + 8]})[0]) for start in range(0, HELD_OUT, 8)]
    logs = np.log(np.concatenate(rows).astype(np.float64))
    return logs - logs.mean(axis=1, keepdims=True)


def timed(runners: dict, feed: dict) -> dict[str, list[float]]:
    """Milliseconds of each turn by graph."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    for runner in runners.values():
        for _ in range(3):
            runner.run(feed)
    begin = time.perf_counter()
    while (turn := len(times["fp32"])) < MOST_TURNS and (
        turn < LEAST_TURNS or time.perf_counter() - begin < BUDGET_SECONDS
    ):
        for name, runner in runners.items():
            start = time.perf_counter()
            runner.run(feed)
            times[name].append((time.perf_counter() - start) * 1000)
    return times


# -- the process that asks for it ----------------------------------------------------------------


def child(command: list[str], environment: dict[str, str]) -> dict:
    """Run a command of which the last line of output is JSON."""
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **environment})
    return json.loads(process.stdout.splitlines()[-1])


def measure(net: Net, folder: Path, peer: str | None, environment: dict[str, str]) -> dict:
    """All figures of a network."""
    folder.mkdir(parents=True, exist_ok=True)
    one_thread = {**environment, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}

    def part(name: str, settings: dict[str, str]) -> dict:
        return child([sys.executable, __file__, "--part", name, net.name, str(folder)], settings)

    if not (folder / "fp32.pb").is_file():
        part("build", environment)
    found = {"ours": part("convert", environment)}
    for name, channels in (("peer", False), ("peer_channel", True)) if peer else ():
        notes = folder / f"{name}.json"
        if not (folder / f"{name}.pb").is_file():
            command = [peer, str(PEER), str(folder), f"{name}.pb", net.input, net.output, str(BATCH), str(channels)]
            notes.write_text(json.dumps(child(command, environment)))
        found[name] = json.loads(notes.read_text())
    found.update(part("compare", one_thread))
    return found


def show(net: Net, found: dict) -> None:
    """Print the figures of a network."""
    print(f"\n{net.name}")
    for name in ("ours", "peer", "peer_channel"):
        if name in found:
            print(f"  {name:13} {found[name]['seconds']:5.1f} s, peak {found[name]['peak_mb']:.0f} MB")
    print("  stages: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found["ours"]["stages"].items()))
    print("  ops: " + ", ".join(f"{op} {int8}/{total}" for op, total, int8, _ in found["ours"]["ops"]))
    for reason in found["ours"]["reasons"]:
        print(f"  left in FP32: {reason}")
    print("  SQNR dB: " + ", ".join(f"{name} {value:.1f}" for name, value in found["sqnr"].items()))
    for batch, times in found["batches"].items():
        parts = [f"fp32 {statistics.median(times['fp32']):.1f} ms"]
        for name in list(times)[1:]:
            parts.append(f"{name} {statistics.median(times[name]):.2f} ms {ratio(times['fp32'], times[name]):.2f}x")
        parts += [f"int8 over {name} {ratio(times[name], times['int8']):.3f}x" for name in list(times)[2:]]
        print(f"  batch {batch}: " + "; ".join(parts) + f"; {len(times['fp32'])} turns")
    sys.stdout.flush()


def ratio(above: list[float], below: list[float]) -> float:
    """The median of the ratios of the turns."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NET", help="parts of names")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--isa")
    parser.add_argument("--peer", default=os.environ.get("PEER_PYTHON"))
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        net = next(net for net in NETS if net.name == arguments.part[1])
        action = {"build": build, "convert": convert, "compare": compare}[arguments.part[0]]
        print(json.dumps(action(net, Path(arguments.part[2]))))
        return 0
    environment = {"ONEDNN_MAX_CPU_ISA": arguments.isa} if arguments.isa else {}
    for net in NETS:
        if not arguments.names or any(name in net.name for name in arguments.names):
            with tempfile.TemporaryDirectory() as temporary:
                folder = (arguments.keep or Path(temporary)) / net.name
                show(net, measure(net, folder, arguments.peer, environment))
    return 0


if __name__ == "__main__":
    sys.exit(main())
