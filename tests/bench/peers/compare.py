"""Us against the peers, on the real graphs of ../shared and on random networks: one table a graph, BENCHMARKS.md.

Same graph, calibration samples and threads; all models run in turns, each in the environment that it was made in;
accuracy on samples that did not calibrate, paired with FP32. A peer that fails is a row with its error.

Usage: compare.py [NAME ...] [--threads N] [--images N] [--peers KEY,…] [--out FILE] [--readme FILE] [--again]
  NAME: parts of file names; all without.
What was measured on this machine and revision with the same options is not measured again, unless with --again: hours
may be interrupted. A machine that does other things, too, gives other times: the file says how busy it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import MappingProxyType

import answers
import numpy as np
import real_data
from peers import made
from peers.environments import PEERS, UnavailableError, ensure
from peers.results import Results
from peers.runs import FailedError, Row, Served, convert, in_turns, last_words
from peers.table import benchmarks, replaced_in_readme
from real_graphs import Case, named

from intel_quantization.comparison.bounds import paired_drop
from intel_quantization.environment import cpu_features

ROOT = Path(__file__).resolve().parents[3]
OURS, FP32 = "launch_quantization", "TensorFlow, FP32"
BATCHES = (1, 32)
RUNS = 15
PATIENCE = 3600.0
_NAMES = MappingProxyType({key: peer.name for key, peer in PEERS.items()})


def compare(case: Case, keys: list[str], threads: int, images: int | None, build: Path) -> list[Row]:
    """All rows of a graph."""
    samples = _samples(case, build)
    (chosen, judged), *_ = real_data.folds(case, samples, 0, images)
    with tempfile.TemporaryDirectory(dir=build) as name:
        folder = Path(name)
        (folder / "fp32.pb").symlink_to(case.path)
        np.save(folder / "calibration.npy", samples.batch(case, chosen[: real_data.CALIBRATION]))
        spec = {"source": case.source, "outputs": list(case.outputs), "batch": case.batch}
        (folder / "spec.json").write_text(json.dumps(spec))
        rows, models = _converted(case, keys, folder, build)
        _served(case, samples, judged, rows, models, folder, threads)
    return rows


def _samples(case: Case, build: Path):
    """The samples of a case."""
    if isinstance(case, made.Made):
        return case.load()
    return real_data.load(case, build / "data", case.size or (300, 300))


def _converted(case: Case, keys: list[str], folder: Path, build: Path) -> tuple[list[Row], dict[str, tuple[str, Path]]]:
    """The rows, and of those that went the Python and the model."""
    rows = [Row(FP32, figures={"size": case.path.stat().st_size})]
    models = {FP32: (sys.executable, case.path)}
    ours = folder / "ours.pb"
    words = [sys.executable, str(Path(__file__).with_name("ours.py")), str(folder), str(ours)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        rows.append(Row(OURS, last_words(done.stderr)))
    else:
        told = json.loads(done.stdout.splitlines()[-1])
        rows.append(_row(OURS, told, ours))
        models[OURS] = (sys.executable, ours)
    for key in keys:
        result = folder / f"{key}{PEERS[key].suffix}"
        try:
            python = str(ensure(key, build / "environments"))
            rows.append(_row(_NAMES[key], convert(python, key, folder, result, PATIENCE), result))
            models[_NAMES[key]] = (python, result)
        except (UnavailableError, FailedError) as error:
            rows.append(Row(_NAMES[key], str(error)))
        print(f"  {rows[-1].name}: {rows[-1].error or rows[-1].figures}", flush=True)
    return rows, models


def _row(name: str, told: dict[str, float], result: Path) -> Row:
    return Row(name, figures={"seconds": told["seconds"], "convert_mb": told["peak_mb"], "size": result.stat().st_size})


def _served(case, samples, judged, rows: list[Row], models, folder: Path, threads: int) -> None:
    """Fill in how good and how fast each is; who fails while that is asked gets the error."""
    by_name = {row.name: row for row in rows}
    running: dict[str, Served] = {}
    try:
        for name, (python, model) in models.items():
            place = folder / name.replace("/", " ")
            place.mkdir()
            (place / "spec.json").write_text((folder / "spec.json").read_text())
            try:
                running[name] = Served(python, model, place, threads)
            except FailedError as error:
                by_name[name].error = f"converted, but {error}"
        measure = answers.measure_of(case, samples)
        given: dict[str, dict] = {}
        for name in list(running):
            found = _attempt(by_name[name], running, lambda each: _answers(case, samples, judged, each, measure))
            if found is not None:
                given[name] = found
        _judge(case, samples, judged, measure, given, by_name)
        for batch in BATCHES if case.batch != 1 else (1,):
            _time(case, samples, judged, batch, running, by_name)
        for name, each in running.items():
            by_name[name].figures["serve_mb"] = each.peak_mb
    finally:
        for each in running.values():
            each.__exit__()


def _attempt(row: Row, running: dict[str, Served], ask):
    try:
        return ask(running[row.name])
    except FailedError as error:
        row.error = f"converted, but {error}"
        running.pop(row.name).__exit__()
        return None


def _answers(case: Case, samples, judged, served: Served, measure) -> dict:
    found = {}
    for start in range(0, len(judged), case.batch):
        some = judged[start : start + case.batch]
        filled = [*some, *[some[-1]] * (case.batch - len(some))]
        for row, answer in zip(some, measure.reduce(served.run(samples.batch(case, filled)), some), strict=True):
            found[row] = answer
    return found


def _judge(case: Case, samples, judged, measure, given: dict[str, dict], by_name: dict[str, Row]) -> None:
    if FP32 not in given:
        return
    measure.begin(given[FP32])
    right = np.array(samples.labels)[judged] + case.offset if case.measure == "top1" else None
    for name, found in given.items():
        row = by_name[name]
        row.figures["score"] = measure.score(found, judged)
        if right is not None and name != FP32:
            pair = [np.array([each[number] for number in judged]) == right for each in (given[FP32], found)]
            drop = paired_drop(int((pair[0] & ~pair[1]).sum()), int((pair[1] & ~pair[0]).sum()), len(judged))
            row.figures.update(low=drop.low, high=drop.high)
        elif name != FP32:
            points, half = answers.lost(measure, [(given[FP32], found, judged)])
            row.figures.update(low=points - half, high=points + half)


def _time(case: Case, samples, judged, batch: int, running: dict[str, Served], by_name: dict[str, Row]) -> None:
    """All that take such a batch, in turns."""
    some = samples.batch(case, [judged[number % len(judged)] for number in range(batch)])
    for name in list(running):
        row = by_name[name]
        before = row.error
        if _attempt(row, running, lambda each: each.run(some)) is None and not before and batch > 1:
            row.error = f"batch {batch}: {row.error.removeprefix('converted, but ')}"
    names = list(running)
    for name, ms in zip(names, in_turns([running[name] for name in names], RUNS), strict=True):
        by_name[name].figures[f"ms_{batch}"] = ms


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, help="judge by at most so many (default: all)")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--out", type=Path, default=ROOT / "BENCHMARKS.md")
    parser.add_argument("--readme", type=Path, help="also renew the table of results in this file")
    parser.add_argument("--again", action="store_true", help="measure what was measured before, too")
    arguments = parser.parse_args()
    build = ROOT / "build" / "peers"
    build.mkdir(parents=True, exist_ok=True)
    machine = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": _cpu(),
        "flags": ", ".join(cpu_features()) or "no AVX",
        "threads": str(arguments.threads),
        "python": platform.python_version(),
        "revision": subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip(),
        "load": _load(),
    }
    keys = [key for key in arguments.peers.split(",") if key]
    results = Results(build / "results", {**machine, "images": arguments.images, "peers": keys})
    cases = [*named(arguments.names), *made.named(arguments.names, build / "made")]
    tables: dict[str, tuple[str, list[Row]]] = {}
    for case in cases:
        print(case.graph, flush=True)
        found = None if arguments.again else results.get(case.graph)
        if found is None:
            title = answers.measure_of(case, _samples(case, build)).title
            found = title, compare(case, keys, arguments.threads, arguments.images, build)
            results.put(case.graph, *found)
        tables[case.graph] = found
        # what there is, should the next one fail
        arguments.out.write_text(benchmarks(machine, tables), encoding="utf-8")
    if arguments.readme is not None:
        text = arguments.readme.read_text(encoding="utf-8")
        arguments.readme.write_text(replaced_in_readme(text, machine, tables), encoding="utf-8")
    return 0


def _load() -> str:
    """How many processes wanted to run when it began, on how many cores."""
    return f"{os.getloadavg()[0]:.1f} of {os.cpu_count()}"


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    sys.exit(main())
