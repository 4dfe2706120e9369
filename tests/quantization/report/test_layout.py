"""Where boxes of the graph's picture stand."""

from __future__ import annotations

import random

import pytest

from intel_quantization.report import layout
from intel_quantization.report.layout import lay_out


def test_a_chain_stands_in_a_column():
    found = lay_out(4, [(0, 1), (1, 2), (2, 3)])
    assert found.y == [0, 1, 2, 3]
    assert len(set(found.x)) == 1


def test_a_shortcut_goes_round_the_boxes_that_it_passes():
    found = lay_out(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    passes = found.passes[0, 3]
    assert len(passes) == 2
    assert all(abs(x - found.x[number]) >= 1 for x, number in zip(passes, (1, 2)))
    assert found.passes[0, 1] == []


def test_branches_stand_beside_each_other_below_what_they_read():
    found = lay_out(5, [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)])
    assert found.y == [0, 1, 1, 1, 2]
    assert sorted(found.x[1:4]) == pytest.approx([found.x[0] - 1, found.x[0], found.x[0] + 1])
    assert found.x[4] == pytest.approx(found.x[0])


@pytest.mark.parametrize("seed", range(5))
def test_no_two_boxes_of_a_row_overlap(seed):
    rng = random.Random(seed)
    count = 60
    edges = [tuple(sorted(rng.sample(range(count), 2))) for _ in range(120)]
    found = lay_out(count, edges)
    for row in set(found.y):
        columns = sorted(x for x, y in zip(found.x, found.y) if y == row)
        assert all(after - before >= 1 - 1e-9 for before, after in zip(columns, columns[1:]))
    assert all(found.y[reader] > found.y[source] for source, reader in edges)
    assert lay_out(count, edges) == found


def test_edges_that_lead_back_take_no_part():
    assert lay_out(3, [(0, 1), (1, 2), (2, 0)]).y == [0, 1, 2]
    assert lay_out(0, []).x == []


def test_of_too_many_long_edges_lines_are_straight(monkeypatch):
    monkeypatch.setattr(layout, "_MOST_PLACES", 1)
    found = lay_out(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    assert found.passes[0, 3] == []
    assert found.y == [0, 1, 2, 3]
