"""Tune a conversion: trial graphs from the statistics at hand, each judged in a process of its own."""

from __future__ import annotations

import json
import os
import pickle
import tempfile
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Tuple

from intel_quantization.blame.blame import Blame
from intel_quantization.child import run_module
from intel_quantization.conversion import Conversion
from intel_quantization.errors import QuantizationError
from intel_quantization.graph.io import write_graph
from intel_quantization.quantize.quantize_graph import Options
from intel_quantization.stages.again import quantize_again
from intel_quantization.tune import trial
from intel_quantization.tune.moves import free_moves
from intel_quantization.tune.search import MOST, Choice, Found, Group, Outcome, search

NOTHING = "nothing is left that could be INT8"
_GONE = Outcome(0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Tuning:
    """What came of it.

    Attributes:
        goal: points that may be lost.
        metric: by which it was judged.
        before: the graph as it was.
        found: the evaluations, and the best choice.
        conversion: with the graph of that choice; the one before where none met the goal.
        ranges: of tensors that the free moves changed.
    """

    goal: float
    metric: str
    before: Outcome
    found: Found
    conversion: Conversion
    ranges: Dict[str, Tuple[float, float]]

    @property
    def text(self) -> str:
        """One sentence for people."""
        best, count = self.found.best, len(self.found.steps)
        if best is None or self.found.outcome is None:
            return (
                f"--tune: no set of layers met --max_drop {self.goal:g} in {count} evaluations; the graph is as it was"
            )
        after = self.found.outcome
        moves = f"other ranges for {len(self.ranges)} tensors" if best.moved else ""
        layers = f"{len(best.excluded)} layers back in FP32" if best.excluded else ""
        what = " and ".join(filter(None, (moves, layers)))
        return (
            f"--tune: {what}: {self.metric} lost {self.before.points:.2f} -> {after.points:.2f} points, "
            f"{self.before.ms:.2f} -> {after.ms:.2f} ms, {count} evaluations"
        )

    def as_dict(self) -> Dict[str, Any]:
        """JSON-ready."""
        best = self.found.best
        return {
            "text": self.text,
            "goal": self.goal,
            "metric": self.metric,
            "before": _describe_outcome(self.before),
            "met": best is not None,
            "excluded_nodes": list(best.excluded) if best else [],
            "ranges": [{"tensor": name, "low": low, "high": high} for name, (low, high) in sorted(self.ranges.items())],
            "evaluations": [
                {
                    "excluded_nodes": list(step.choice.excluded),
                    "free_moves": step.choice.moved,
                    **_describe_outcome(step.outcome),
                }
                for step in self.found.steps
            ],
        }


def tune(
    conversion: Conversion,
    options: Options,
    blame: Blame,
    request: trial.Request,
    before: Outcome,
    metric: str,
    goal: float,
    log: Callable[[str], None],
    on_evaluation: Callable[[int], None] = lambda done: None,
) -> Tuning:
    """Put layers back to FP32 until no more than ``goal`` is lost.

    Args:
        conversion: as it was made in this process.
        options: by which it was quantized.
        blame: what its layers lose, by data that calibrated.
        request: what a trial has to know.
        before: what the graph loses now.
        metric: by which that was told.
        goal: points.
        log: told what is tried.
        on_evaluation: called with the number of evaluations so far.
    """
    moves = free_moves(blame.suspects, conversion.statistics, dict(options.ranges))
    order = sorted(blame.suspects, key=lambda suspect: -suspect.worth)
    groups = [
        Group(each.nodes, each.damage / blame.damage if blame.damage else 0.0, each.given_back_ms or 0.0)
        for each in order
    ]
    log(
        f"at most {MOST} evaluations of {len(groups)} groups of layers on the samples that compare"
        + (f", after other ranges for {len(moves)} tensors" if moves else "")
    )
    with tempfile.TemporaryDirectory(prefix="tune-") as folder:
        write_graph(conversion.fp32_graph, os.path.join(folder, trial.FP32))
        with open(os.path.join(folder, trial.REQUEST), "wb") as stream:
            pickle.dump(request, stream)
        made: Dict[Choice, Conversion] = {}
        done = [0]

        def judge(choice: Choice) -> Outcome:
            try:
                if not _leaves_any(conversion, choice):
                    raise QuantizationError(NOTHING)
                made[choice] = quantize_again(
                    conversion, _make_options(options, choice, moves), request.job.target_tensorflow
                )
                outcome = _judge(folder, made[choice])
            except QuantizationError as error:
                outcome = replace(_GONE, failed=error.message, nothing=error.message == NOTHING)
            done[0] += 1
            log(_told(choice, outcome, done[0]))
            on_evaluation(done[0])
            return outcome

        found = search(groups, bool(moves), judge, before.points, goal)
    best = conversion if found.best is None else made[found.best]
    return Tuning(goal, metric, before, found, best, moves if found.best and found.best.moved else {})


def _leaves_any(conversion: Conversion, choice: Choice) -> bool:
    return any(layer.group.linear not in choice.excluded for layer in conversion.layers)


def _make_options(options: Options, choice: Choice, moves: Dict[str, Tuple[float, float]]) -> Options:
    ranges = {**options.ranges, **moves} if choice.moved else options.ranges
    return replace(options, excluded_nodes=(*options.excluded_nodes, *choice.excluded), ranges=ranges)


def _judge(folder: str, conversion: Conversion) -> Outcome:
    """The outcome of a trial in a process of its own."""
    write_graph(conversion.graph, os.path.join(folder, trial.INT8))
    result = os.path.join(folder, trial.RESULT)
    if os.path.exists(result):
        os.unlink(result)
    ended = run_module("intel_quantization.tune.trial", folder)
    if ended or not os.path.exists(result):
        return replace(_GONE, failed=ended or "it left no result")
    with open(result, encoding="utf-8") as stream:
        told = trial.Result(**json.load(stream))
    return Outcome(told.points, told.low, told.high, told.ms, told.failed)


def _told(choice: Choice, outcome: Outcome, number: int) -> str:
    what = f"{len(choice.excluded)} layers in FP32" + (", other ranges" if choice.moved else "")
    if outcome.failed:
        return f"evaluation {number}: {what}: {outcome.failed}"
    return f"evaluation {number}: {what}: {outcome.points:.2f} points lost, {outcome.ms:.2f} ms"


def _describe_outcome(outcome: Outcome) -> Dict[str, Any]:
    return {
        "points": outcome.points,
        "low": outcome.low,
        "high": outcome.high,
        "ms": outcome.ms,
        "failed": outcome.failed,
    }
