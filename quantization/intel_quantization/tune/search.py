"""The search for the fewest milliseconds that meet a goal, in a bounded number of evaluations.

Free moves first: other ranges cost no time. Then layers go back to FP32 in the order of damage per millisecond, and how
many it takes is found by bisection. Then what was put back is tried in INT8 again, in case it was not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Sequence, Tuple

MOST = 12
"""Evaluations in all."""
_BISECTION = 7
_AMPLE = 0.8  # of the goal, for the first guess


@dataclass(frozen=True)
class Group:
    """Layers that go back together, with the share of all damage that is theirs, and the milliseconds they win."""

    nodes: Tuple[str, ...]
    share: float
    ms: float


@dataclass(frozen=True)
class Choice:
    """What is tried: nodes that stay FP32, and whether the free moves are made."""

    excluded: Tuple[str, ...] = ()
    moved: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a graph loses.

    Attributes:
        points, low, high: with the 95 % interval.
        ms: its latency.
        failed: why there are no such figures; empty where there are.
        nothing: it failed, as nothing is left that could be INT8.
    """

    points: float
    low: float
    high: float
    ms: float
    failed: str = ""
    nothing: bool = False


@dataclass(frozen=True)
class Step:
    """One evaluation."""

    choice: Choice
    outcome: Outcome


@dataclass(frozen=True)
class Found:
    """What came of the search.

    Attributes:
        steps: all evaluations, in their order.
        best: the choice that meets the goal at the least cost; None where none did.
        outcome: of that.
    """

    steps: Tuple[Step, ...]
    best: Choice | None
    outcome: Outcome | None


class _Search:
    def __init__(self, groups: Sequence[Group], judge: Callable[[Choice], Outcome], goal: float, most: int) -> None:
        self._groups = list(groups)
        self._judge = judge
        self._goal = goal
        self._left = most
        self.steps: List[Step] = []
        self.moved = False

    @property
    def left(self) -> int:
        """How many evaluations are left."""
        return self._left

    def meets(self, groups: Sequence[Group]) -> Outcome | None:
        """The outcome with some groups in FP32 if it meets the goal."""
        return self.tried(Choice(_list_nodes(groups), self.moved))

    def tried(self, choice: Choice) -> Outcome | None:
        """The outcome of a choice if it meets the goal."""
        known = [step.outcome for step in self.steps if step.choice == choice]
        if not known:
            self._left -= 1
            known = [self._judge(choice)]
            self.steps.append(Step(choice, known[0]))
        outcome = known[0]
        return outcome if not outcome.failed and outcome.points <= self._goal else None

    def prefix(self, start: float) -> Tuple[List[Group], Outcome] | None:
        """The shortest beginning of the groups that meets the goal, as far as it is found.

        Args:
            start: points that are lost without any of them.
        """
        low, high = 0, len(self._groups) + 1  # so many are too few, and enough or too many
        best: Outcome | None = None
        place = min(self._guess(start), len(self._groups))
        for _ in range(_BISECTION):
            if not self._left or not low < place < high:
                break
            choice = Choice(_list_nodes(self._groups[:place]), self.moved)
            outcome = self.tried(choice)
            if outcome is not None:
                high, best = place, outcome
            elif self._find_outcome(choice).nothing:
                high = place
            else:
                low = place
            # without an upper end, twice as many are tried
            unbounded = high > len(self._groups)
            place = min(2 * low, len(self._groups)) if unbounded else (low + high) // 2
        return None if best is None else (self._groups[:high], best)

    def _find_outcome(self, choice: Choice) -> Outcome:
        return next(step.outcome for step in self.steps if step.choice == choice)

    def _guess(self, start: float) -> int:
        left = start
        for number, group in enumerate(self._groups):
            left -= start * group.share
            if left <= self._goal * _AMPLE:
                return number + 1
        return max(len(self._groups), 1)

    def put_back(self, kept: List[Group], outcome: Outcome) -> Tuple[List[Group], Outcome]:
        """Without the groups that were not needed: the last is, as fewer did not do."""
        waiting = _halve(sorted(kept[:-1], key=lambda group: group.share / max(group.ms, 1e-3)), self._left)
        while waiting and self._left:
            some = waiting.pop(0)
            fewer = [group for group in kept if group not in some]
            better = self.meets(fewer)
            if better is not None:
                kept, outcome = fewer, better
            elif len(some) > 1:
                waiting[:0] = [some[: len(some) // 2], some[len(some) // 2 :]]
        return kept, outcome


def search(
    groups: Sequence[Group],
    has_moves: bool,
    judge: Callable[[Choice], Outcome],
    points: float,
    goal: float,
    most: int = MOST,
) -> Found:
    """Find the choice that meets the goal with the fewest milliseconds given back.

    Args:
        groups: in the order of damage for each millisecond, the greatest first.
        has_moves: whether there are free moves.
        judge: evaluates a choice.
        points: that are lost now.
        goal: that may be lost.
        most: evaluations.
    """
    state = _Search(groups, judge, goal, most)
    if has_moves:
        alone = Choice((), True)
        outcome = state.tried(alone)
        if outcome is not None:
            return Found(tuple(state.steps), alone, outcome)
        first = state.steps[0].outcome
        if not first.failed and first.points < points:
            state.moved, points = True, first.points
    found = state.prefix(points) if groups else None
    if found is None:
        return Found(tuple(state.steps), None, None)
    kept, outcome = state.put_back(*found)
    return Found(tuple(state.steps), Choice(_list_nodes(kept), state.moved), outcome)


def _list_nodes(groups: Sequence[Group]) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in groups for name in group.nodes))


def _halve(groups: List[Group], tries: int) -> List[List[Group]]:
    """The groups one by one where there are tries enough, else the first half of them, and the rest."""
    if len(groups) <= tries:
        return [[group] for group in groups]
    middle = -(-len(groups) // 2)
    return [groups[:middle], groups[middle:]]
