"""What quantization by default costs on the 13 real graphs of ../shared: before, after, and a peer beside them.

For each graph and draw of calibration images, in turns and in processes of their own: convert with the defaults of a
git revision ("before") and of the working tree ("after"), and judge by samples that did not calibrate. Points are of
100 (top-1, COCO AP, mean IoU to FP32, lines of text right, 100 less the shift of landmarks in percent of the face);
"lost" is the mean over the draws, on the same samples, with its 95 % interval (jackknife over the samples); "gained"
is what "after" has over "before". Seconds include what else the machine does; of "before" they may be an older run's.

Answers of the FP32 graphs, of "before" and of the peer do not change: they are kept in --cache.

Usage: accuracy.py [NAME ...]                      NAMEs are parts of file names
       accuracy.py --draws 1 --images 200 --no-speed        a quick look
       accuracy.py --only after --set equalize=False        an ablation
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import accuracy_steps
import accuracy_table
import answers
import numpy as np
import real_data
from real_graphs import Case, named

ROOT = Path(__file__).resolve().parents[2]
VARIANTS = ("per_channel", "per_tensor")
BEFORE = "bc996c0"


def measure(case: Case, steps: accuracy_steps.Steps, contenders, arguments) -> dict[str, Any]:
    """All figures of one graph."""
    fp32 = steps.reference(case)
    samples = real_data.load(case, steps.data)
    judge = answers.measure_of(case, samples)
    judge.begin(fp32["answers"])
    found: dict[tuple[str, str], list[dict]] = {}
    for draw in range(arguments.draws):
        folds = real_data.folds(case, samples, draw, arguments.images)
        for contender in contenders:
            if draw >= (contender.draws or arguments.draws):
                continue
            print(f"{case.graph}: draw {draw}, {contender.name}", file=sys.stderr, flush=True)
            for variant, results in steps.results(case, contender, draw, folds, arguments.variants).items():
                found.setdefault((variant, contender.name), []).append(merged(results, folds))
    judged = sorted({int(row) for draw in range(arguments.draws) for row in rows_of(case, samples, draw, arguments)})
    speeds = {} if arguments.no_speed else steps.speed(case, contenders, arguments.variants)
    rows = []
    order = [(variant, contender.name) for variant in arguments.variants for contender in contenders]
    for variant, name in order:
        draws, earlier = found[variant, name], found.get((variant, "before"), [])
        row = {"who": name, "variant": variant, **summary(judge, fp32["answers"], draws)}
        if name == "after" and earlier and not any("error" in draw for draw in (*draws, *earlier)):
            both = zip(draws, earlier, strict=True)
            pairs = [(draw["answers"], before["answers"], draw["rows"]) for draw, before in both]
            row["gained"], row["gained_interval"] = answers.lost(judge, pairs)
        if (variant, name) in speeds:
            row["speedup"] = speeds["fp32"] / speeds[variant, name]
            row["ms"] = speeds[variant, name]
        rows.append(row)
    return {
        "graph": case.graph,
        "measure": judge.title,
        "also": judge.also,
        "samples": len(judged),
        "fp32": judge.score(fp32["answers"], judged),
        "fp32_also": judge.second(fp32["answers"], judged),
        "fp32_ms": speeds.get("fp32"),
        "rows": rows,
    }


def rows_of(case: Case, samples, draw: int, arguments) -> np.ndarray:
    """The samples that judge in a draw."""
    return np.concatenate([judged for _, judged in real_data.folds(case, samples, draw, arguments.images)])


def merged(results: list[dict], folds) -> dict:
    """The results of the folds of one draw as one."""
    errors = [result["error"] for result in results if "error" in result]
    if errors:
        return {"error": errors[0]}
    return {
        "answers": {row: answer for result in results for row, answer in result["answers"].items()},
        "rows": [int(row) for _, judged in folds for row in judged],
        "power": sum(result["power"] for result in results),
        "macs": float(np.mean([result["macs"] for result in results])),
        "seconds": float(np.mean([result["seconds"] for result in results])),
    }


def summary(judge: answers.Measure, reference: answers.Answers, draws: list[dict]) -> dict[str, Any]:
    """The figures of one contender and variant, over its draws."""
    errors = [draw["error"] for draw in draws if "error" in draw]
    if errors:
        return {"error": errors[0]}
    pairs = [(draw["answers"], draw["rows"]) for draw in draws]
    lost, interval = answers.lost(judge, [(reference, given, rows) for given, rows in pairs])
    each = [judge.score(reference, rows) - judge.score(given, rows) for given, rows in pairs]
    powers = np.array([draw["power"] for draw in draws])
    with np.errstate(divide="ignore", invalid="ignore"):
        sqnr = 10 * np.log10(powers[:, 0] / powers[:, 1])
    return {
        "score": float(np.mean([judge.score(given, rows) for given, rows in pairs])),
        "lost": lost,
        "interval": interval,
        "lost_by_draw": each,
        "also": float(np.mean([judge.second(given, rows) for given, rows in pairs])),
        "sqnr_db": float(sqnr.mean()) if np.isfinite(sqnr).all() else None,
        "int8_macs": float(np.mean([draw["macs"] for draw in draws])),
        "seconds": float(np.mean([draw["seconds"] for draw in draws])),
    }


def main() -> int:
    """Returns the exit status."""
    arguments = parsed()
    sys.path.append(str(ROOT / "build" / "bench-tools"))  # where run.sh puts pycocotools
    cases = named(arguments.names)
    if not cases:
        print(f"accuracy.py: error: no graph has {' or '.join(arguments.names)} in its name", file=sys.stderr)
        return 2
    if any(case.measure == "ap" for case in cases) and importlib.util.find_spec("pycocotools") is None:
        print("accuracy.py: error: AP needs pycocotools; tests/bench/run.sh installs it", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        steps = accuracy_steps.Steps(arguments.cache, Path(folder))
        contenders = []
        if arguments.only != "after":
            contenders.append(accuracy_steps.revision(ROOT, arguments.before, Path(folder)))
        if arguments.only != "before":
            contenders.append(accuracy_steps.working_tree(ROOT, dict(arguments.set)))
        if arguments.peer:
            contenders.append(accuracy_steps.peer(arguments.peer, arguments.peer_draws))
        found: list[dict] = []
        for case in cases:
            found.append(measure(case, steps, contenders, arguments))
            accuracy_table.show(found[-1])
            if arguments.json:
                settings = {"argv": sys.argv[1:], "contenders": [contender.title for contender in contenders]}
                Path(arguments.json).write_text(json.dumps({**settings, "graphs": found}, indent=1) + "\n")
    accuracy_table.show_all(found)
    return 0


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--draws", type=int, default=3, help="draws of calibration images; 3 by default")
    parser.add_argument("--images", type=int, metavar="N", help="judge by at most N samples a draw")
    parser.add_argument("--only", choices=("before", "after"))
    parser.add_argument("--before", default=BEFORE, metavar="REVISION", help=f"{BEFORE} by default")
    parser.add_argument("--variants", type=_variants, default=VARIANTS, help=",".join(VARIANTS))
    parser.add_argument("--set", type=_option, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that has neural-compressor-tf")
    parser.add_argument("--peer-draws", type=int, default=1, metavar="N", help="1 by default")
    parser.add_argument("--no-speed", action="store_true", help="for a machine that others use")
    parser.add_argument("--json", metavar="FILE", help="write all figures there, too, after each graph")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "accuracy", metavar="FOLDER")
    return parser.parse_args()


def _variants(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(VARIANTS):
        raise argparse.ArgumentTypeError("some of " + ",".join(VARIANTS))
    return names


def _option(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError("NAME=VALUE, an argument of GraphConverter")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


if __name__ == "__main__":
    sys.exit(main())
