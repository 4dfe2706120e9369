"""Which layer is to blame, and why: one layer of a network is broken, in several ways."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.blame import causes
from intel_quantization.blame.blame import find_blame
from intel_quantization.calibration.statistics import histogram_of
from intel_quantization.measure.runner import Runner
from tests.quantization.blame.broken_nets import again, batches, converted


@pytest.fixture(scope="module")
def whole():
    """The conversion of the network as it is."""
    return converted()


def blame(conversion, options, **more):
    return find_blame(conversion, options, list(batches(seed=5)), 24, threads=1, **more)


def largest(conversion, tensor):
    return conversion.statistics.tensors[tensor].maximum


def clipped(whole):
    return again(whole, second=(0.0, largest(whole, "second/out") / 12))


def too_wide(whole):
    return again(whole, second=(0.0, largest(whole, "second/out") * 30))


def outlier(whole):
    """As if calibration had met one value far out."""
    statistics = copy.deepcopy(whole.statistics)
    seen = statistics.tensors["second/out"]
    seen.maximum *= 40
    seen.histogram = seen.histogram + histogram_of(np.array([seen.maximum], np.float32))
    return again(replace(whole, statistics=statistics))


def unlike_branches(_whole):
    factors = np.zeros((1, 1, 16, 1))  # of what is joined, only the left branch is read
    factors[:, :, :8] = 60.0
    return again(converted(left=np.full(8, 1 / 60.0), last=factors))


def shifted_bias(whole):
    conversion, options = again(whole)
    (node,) = [node for node in conversion.graph.node if node.name == "second/int8_bias"]
    values = tf.make_ndarray(node.attr["value"].tensor)
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values + np.float32(0.3)))
    return conversion, options


@pytest.mark.parametrize(
    ("damage", "first", "cause"),
    [
        (clipped, "second", causes.CLIPPED),
        (too_wide, "second", causes.RANGE_USED),
        (outlier, "second", causes.OUTLIERS),
        (unlike_branches, "left", causes.CONCAT),
        (shifted_bias, "second", causes.BIAS_SHIFT),
    ],
)
def test_the_layer_that_was_broken_is_named_first_with_its_cause(whole, damage, first, cause):
    conversion, options = damage(whole)
    found = blame(conversion, options)
    worst = found.suspects[0]
    assert (worst.nodes[0], worst.cause.name) == (first, cause)
    assert worst.damage > 100 * np.median([each.damage for each in found.suspects[1:]])
    sound = {name: error for name, error in found.errors.items() if name not in worst.nodes}
    # what is wrong behind it is not theirs
    assert all(error.local < 1e-2 for name, error in sound.items() if name != "last")
    assert found.errors["last"].accumulated > 2e-4


def test_a_tensors_range_is_the_matter_of_all_who_make_or_read_it(whole):
    found = blame(*clipped(whole))
    assert found.suspects[0].nodes == ("second", "left", "right")
    assert found.suspects[0].cause.tensor == "second/out"
    joined = blame(*unlike_branches(whole))
    assert joined.suspects[0].nodes == ("left", "last")


def test_local_errors_are_those_of_the_kernels(whole):
    """In the first layer, local and accumulated error are the same thing, made by two copies of one op."""
    conversion, options = again(whole)
    first = blame(conversion, options).errors["first"]
    assert first.local == pytest.approx(first.accumulated, rel=1e-3)
    assert 30 < -10 * np.log10(first.local) < 50
    later = blame(conversion, options).errors["last"]
    assert later.local < later.accumulated


def test_damage_adds_up_to_the_error_of_the_outputs(whole):
    conversion, options = again(whole)
    found = find_blame(conversion, options, list(batches(40, 1, seed=5)), 40, threads=1)
    wanted, given = [], []
    outputs = ("out:0",)
    with Runner(conversion.fp32_graph, outputs, 1) as fp32, Runner(conversion.graph, outputs, 1) as int8:
        for feed in batches(40, 1, seed=5):
            wanted.append(fp32.run(feed)[0])
            given.append(int8.run(feed)[0])
    error = np.square(np.array(given) - np.array(wanted)).sum() / np.square(wanted).sum()
    # errors of neighbours count the tensor between them twice
    assert 0.5 * error < found.damage < 5 * error


def test_times(whole):
    conversion, options = again(whole)
    outputs = ("out:0",)
    with Runner(conversion.fp32_graph, outputs, 1) as fp32, Runner(conversion.graph, outputs, 1) as int8:
        found = blame(conversion, options, runners=(fp32, int8, next(batches())))
    assert all(each.fp32_ms > 0 and each.int8_ms > 0 for each in found.suspects)
    told = found.as_dict(2.0)
    worth = [each["share"] / max(each["given_back_ms"], 1e-3) for each in told["opportunities"]]
    assert worth == sorted(worth, reverse=True)
    assert sum(each["points"] for each in told["suspects"] if len(each["nodes"]) == 1) <= 2.0 + 1e-9
    assert told["suspects"][0]["excluded_nodes"] == ",".join(told["suspects"][0]["nodes"])


def test_without_times_and_points(whole):
    told = blame(*again(whole)).as_dict(None, 1)
    assert len(told["suspects"]) == len(told["opportunities"]) == 1
    assert (told["suspects"][0]["points"], told["suspects"][0]["given_back_ms"]) == (None, None)
