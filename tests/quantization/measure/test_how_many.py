"""How many samples a job is measured on: fewer of a network that takes long, unless something is to be decided."""

from __future__ import annotations

import json

import pytest

from intel_quantization import job as jobs
from intel_quantization.data.function_data import Window
from intel_quantization.measure.how_many import count_multiplications, samples_to_blame, samples_to_compare, spread
from tests.quantization.blame.broken_nets import again, converted

RESNET50, MOBILENET = 4.1e9, 5.7e8  # multiply-accumulates


def job(**changes):
    return jobs.parse(json.dumps({"schema": 1, "in_graph": "net.pb", "out_graph": "out.pb", **changes}))


@pytest.mark.parametrize(
    ("work", "there", "count"),
    [(RESNET50, 400, 100), (MOBILENET, 500, 500), (1e9, 500, 400), (0.0, 500, 500), (RESNET50, 28, 28), (1e12, 0, 0)],
)
def test_fewer_of_a_network_that_takes_long(work, there, count):
    assert samples_to_compare(job(), work, there) == count


@pytest.mark.parametrize("changes", [{"evaluate": 400}, {"max_drop": 1.0}, {"tune": True}, {"metric": "m.py:score"}])
def test_all_where_something_is_to_be_decided(changes):
    assert samples_to_compare(job(**changes), RESNET50, 400) == 400


@pytest.mark.parametrize(("work", "count"), [(RESNET50, 8), (MOBILENET, 16), (3.2e9, 10), (0.0, 16)])
def test_layers_are_blamed_by_fewer(work, count):
    assert samples_to_blame(work) == count


def test_they_are_from_all_over():
    assert spread(tuple(range(10)), 4) == (0, 2, 5, 7)
    assert spread((1, 2), 4) == (1, 2)
    assert spread((), 4) == ()
    assert len(spread(Window(5, 10), 4)) == 4


def test_the_work_is_that_of_the_layers():
    conversion, _options = again(converted())
    pixels = 12 * 12
    by_layer = [pixels * 9 * 4 * 8, pixels * 9 * 8 * 8, pixels * 8 * 8, pixels * 9 * 8 * 8, pixels * 9 * 16 * 12]
    assert [layer.group.linear for layer in conversion.layers] == ["first", "second", "left", "right", "last"]
    assert count_multiplications(conversion) == sum(by_layer)
