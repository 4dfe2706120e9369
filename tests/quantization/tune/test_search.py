"""The search by itself: which layers go back, in how many evaluations."""

from __future__ import annotations

import numpy as np
import pytest

from intel_quantization.tune.search import MOST, Choice, Group, Outcome, search


class Net:
    """Layers each of which loses points of its own, and wins a millisecond; groups are told in the order of a guess.

    Args:
        losses: points by layer.
        guess: the shares that blame tells; None: the right ones.
        moves: points that are left of the losses after free moves, as a share.
    """

    def __init__(self, losses, guess=None, moves=1.0):
        self.losses = np.array(losses, float)
        self._moves = moves
        shares = np.array(losses if guess is None else guess, float)
        shares = shares / shares.sum()
        order = np.argsort(-shares, kind="stable")
        self.groups = [Group((f"layer{number}",), shares[number], 1.0) for number in order]
        self.tried = []

    @property
    def points(self):
        return float(self.losses.sum())

    def judge(self, choice):
        self.tried.append(choice)
        kept = [number for number in range(len(self.losses)) if f"layer{number}" not in choice.excluded]
        lost = self.losses[kept].sum() * (self._moves if choice.moved else 1.0)
        return Outcome(float(lost), lost - 0.5, lost + 0.5, 1.0 + len(choice.excluded))

    def search(self, goal, has_moves=False):
        return search(self.groups, has_moves, self.judge, self.points, goal)


def test_three_layers_are_found_and_no_others_go_back():
    losses = [0.01] * 50
    for number, lost in ((7, 5.0), (23, 3.0), (41, 2.0)):
        losses[number] = lost
    net = Net(losses)
    found = net.search(1.0)
    assert set(found.best.excluded) == {"layer7", "layer23", "layer41"}
    assert found.outcome.points <= 1.0
    assert len(found.steps) == len(net.tried) <= MOST


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("count", [5, 30, 120, 400])
def test_a_wrong_guess_costs_evaluations_but_no_more_than_there_are(seed, count):
    rng = np.random.RandomState(seed)
    losses = np.full(count, 0.002)
    sensitive = rng.choice(count, 3, replace=False)
    losses[sensitive] = rng.uniform(1.5, 6.0, 3)
    guess = losses * rng.lognormal(0, 1.0, count)  # out by a factor of three, often
    net = Net(losses, guess)
    found = net.search(1.0)
    assert len(net.tried) <= MOST
    assert found.best is not None
    assert found.outcome.points <= 1.0
    assert {f"layer{number}" for number in sensitive} <= set(found.best.excluded)
    if count <= 30:
        assert len(found.best.excluded) <= 8


def test_what_was_not_needed_is_put_back_in_int8():
    # the guess names two harmless layers before the guilty one
    net = Net([0.01, 0.01, 6.0, 0.01, 0.01], guess=[8, 7, 6, 1, 1])
    found = net.search(1.0)
    assert found.best.excluded == ("layer2",)


def test_free_moves_may_do_by_themselves():
    net = Net([1.0, 1.0, 1.0], moves=0.1)
    found = net.search(1.0, has_moves=True)
    assert found.best == Choice((), True)
    assert len(found.steps) == 1


def test_free_moves_that_help_are_kept_and_others_are_not():
    better = Net([4.0, 1.0, 0.2], moves=0.5).search(1.0, has_moves=True)
    assert better.best == Choice(("layer0",), True)
    worse = Net([4.0, 1.0, 0.2], moves=1.5).search(1.5, has_moves=True)
    assert worse.best == Choice(("layer0",), False)


def test_a_graph_that_fails_meets_nothing():
    net = Net([5.0, 0.1])
    found = search(net.groups, True, lambda choice: Outcome(0.0, 0.0, 0.0, 0.0, "it crashed"), 5.1, 1.0)
    assert found.best is None
    assert all(step.outcome.failed for step in found.steps)
    assert len({step.choice for step in found.steps}) == len(found.steps) <= MOST


def test_nothing_to_put_back():
    assert search([], False, lambda choice: None, 5.0, 1.0).best is None


@pytest.mark.parametrize("needed", [1, 9, 15, 16, 17, 26, 27])
def test_all_layers_together_are_no_answer_but_nearly_all_may_be(needed):
    # as many as are needed lose 1.5 points each; the guess takes all for the same
    net = Net([1.5] * needed + [0.0] * (28 - needed), guess=[1.0] * 28)

    def judge(choice):
        nothing = len(choice.excluded) == 28
        outcome = net.judge(choice)
        return Outcome(0.0, 0.0, 0.0, 0.0, "nothing is left", nothing=True) if nothing else outcome

    found = search(net.groups, False, judge, net.points, 1.0)
    assert len(found.steps) <= MOST
    assert found.best is not None
    assert needed <= len(found.best.excluded) < 28


def test_all_layers_may_be_needed():
    net = Net([2.0, 2.0, 2.0, 2.0])
    found = net.search(1.0)
    assert len(found.best.excluded) == 4
