"""Layers that do not pay in INT8 stay FP32, and never more of the work than is allowed."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.ranges.collectors import min_max
from intel_quantization.kinds.group import Group
from intel_quantization.quantize import payoff
from intel_quantization.quantize.equalization import equalization
from intel_quantization.quantize.local_error import local_error
from intel_quantization.quantize.pass_through import PassThrough
from intel_quantization.quantize.payoff import ISLAND, OUT_OF_PROPORTION, count_work, find_unpaying
from tests.quantization import builders as b
from tests.quantization.prepare import prepare

pytestmark = pytest.mark.tensorflow


def excite(x, name):
    """Squeeze-and-excite: two small products of the image's mean, whose result scales the channels."""
    channels = int(x.shape[-1])
    y = tf.reduce_mean(x, [1, 2], keepdims=True)
    y = b.conv_block(y, name + "/down", kernel=1, filters=4)
    y = tf.sigmoid(b.bias(b.conv(y, channels, 1, name=name + "/up"), name + "/up/bias"))
    return x * y


def unpaying(function, feed=None, outputs=("out",)):
    graph_def = b.build(function)
    prepared = prepare(graph_def, [feed or b.batch(graph_def, 8, seed=1)], outputs)
    channels = frozenset(group.root for group in prepared.groups.values())
    left = find_unpaying(prepared.graph, prepared.items, prepared.statistics, prepared.trials, min_max, channels)
    return left, prepared


def large(x, count=3):
    """Convolutions with much work."""
    for number in range(count):
        x = b.conv_block(x, "large%d" % number, filters=32)
    return x


# -- islands ---------------------------------------------------------------------------------------


def excited(count=3):
    def net():
        x = excite(large(b.image((None, 32, 32, 4)), count), "excite")
        tf.identity(b.conv_block(x, "last", filters=32), "out")

    return net


def test_squeeze_and_excite_stays_fp32_in_a_large_network():
    assert unpaying(excited())[0] == {"excite/down": ISLAND, "excite/up": ISLAND}
    graph_def = b.build(excited())
    conversion = b.convert(graph_def, per_channel=True)
    assert {name: reason for name, reason in b.reasons(conversion).items() if reason} == {
        "excite/down": ISLAND,
        "excite/up": ISLAND,
    }
    assert b.ops(conversion.graph)["Conv2D"] == 2
    assert b.error(conversion, b.batch(graph_def, seed=1)) < 0.08


def test_a_small_network_becomes_int8_all_the_same():
    """All of it is too little work to pay; whoever asks for INT8 gets it."""

    def net():
        tf.identity(b.conv_block(b.conv_block(b.image(), "first"), "last"), "out")

    left, prepared = unpaying(net)
    assert left == {}
    assert sum(count_work(prepared.graph, group, prepared.statistics) for group in prepared.items) < 250_000
    tf_only = unpaying(lambda: tf.identity(b.dense(tf.nn.relu(b.image((None, 8))), name="d"), "out"))[0]
    assert tf_only == {}


def test_islands_within_a_small_network():
    """They are more than the share that may stay FP32."""

    def net():
        x = excite(b.conv_block(b.image((None, 2, 2, 4)), "stem", filters=16), "excite")
        tf.identity(b.conv_block(x, "last", filters=16), "out")

    assert unpaying(net)[0] == {}


def test_an_island_of_much_work_pays():
    def net():
        x = tf.tanh(large(b.image((None, 32, 32, 4))))
        tf.identity(b.conv_block(x, "alone", filters=32), "out")

    assert unpaying(net)[0] == {}
    _, prepared = unpaying(lambda: tf.identity(large(b.image((None, 32, 32, 4))), "out"))
    work = {name: count_work(prepared.graph, group, prepared.statistics) for name, group in prepared.groups.items()}
    assert work == {"large0": 32 * 32 * 32 * 36, "large1": 32 * 32 * 32 * 288, "large2": 32 * 32 * 32 * 288}


def test_what_hands_int8_values_on_is_no_island():
    """The same products, connected through a pool, belong to the network around them."""

    def net():
        x = large(b.image((None, 32, 32, 4)))
        x = tf.nn.max_pool2d(x, 8, 8, "SAME")
        x = b.conv_block(x, "small", kernel=1, filters=4)
        tf.identity(b.conv_block(x, "last", kernel=1), "out")

    assert ISLAND not in unpaying(net)[0].values()


def test_work_is_counted_for_each_sample():
    def net():
        x = tf.nn.relu(b.image((None, 8, 8, 4)))
        x = tf.nn.relu(b.bias(b.depthwise(x, 2, name="d"), "d/bias"))
        x = b.conv_block(x, "c", strides=2, filters=6)
        b.dense(tf.reshape(x, (-1, 96)), 10, transpose=True, name="out")

    for size in (1, 5):
        graph_def = b.build(net)
        _, prepared = unpaying(net, b.batch(graph_def, size, seed=1))
        work = {name: count_work(prepared.graph, group, prepared.statistics) for name, group in prepared.groups.items()}
        assert work == {"d": 8 * 8 * 8 * 9, "c": 4 * 4 * 6 * 72, "out": 4 * 10 * 96}, "reading a weight counts as 4"


# -- errors out of proportion ----------------------------------------------------------------------


class Told:
    """Noise that is such a share of whatever it is judged by."""

    def __init__(self, error):
        self._error = error

    def weighed_by(self, trial):
        return self._error


def tell_errors(monkeypatch, told):
    """Have the error of each group be what a function of it says."""
    monkeypatch.setattr(payoff, "measure_local_noise", lambda graph, group, *arguments: Told(told(group)))


@pytest.fixture(name="nothing_is_ruinous")
def _nothing_is_ruinous(monkeypatch):
    monkeypatch.setattr(payoff, "_RUINOUS_ERROR", np.inf)


def bad(x, name):
    """A depthwise convolution of which nothing but noise is left: what it reads is large, what it gives small.

    It takes the difference of neighbours that hardly differ, so that rounding its input is as large as that.
    """
    channels = int(x.shape[-1])
    weights = np.zeros((1, 2, channels, 1), np.float32)
    weights[0, 0], weights[0, 1] = 1.0, -1.0
    x = b.depthwise(x, weights=weights, padding="VALID", name=name)
    return tf.nn.relu(b.bias(x, name + "/bias", np.zeros(channels, np.float32)), name=name + "/out")


def means(parts):
    """The mean of each image and channel, of all parts together."""
    return tf.concat([tf.reduce_mean(part, [1, 2]) for part in parts], 1, name="out")


def smooth(size=32):
    """Images whose neighbours hardly differ."""
    ramp = np.linspace(1, 1.2, size, dtype=np.float32)[:, None, None]
    noise = np.abs(b.random("noise", (8, size, size, 4), 0.002))
    return {"input:0": np.tile(ramp, (8, 1, size, 4)).reshape(8, size, size, 4) + noise}


def beside(shares=1):
    """A network with much work, and bad layers of little work beside it."""

    def net():
        x = b.image((None, 32, 32, 4))
        parts = [bad(x, "bad%d" % number) for number in range(shares)]
        means([large(x), *parts])

    return net


def test_an_error_out_of_proportion(monkeypatch):
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", 0)
    left, prepared = unpaying(beside(), smooth())
    assert left == {"bad0": OUT_OF_PROPORTION}
    total = sum(count_work(prepared.graph, group, prepared.statistics) for group in prepared.groups.values())
    assert count_work(prepared.graph, prepared.groups["bad0"], prepared.statistics) < 0.01 * total
    conversion = b.convert(b.build(beside()), [smooth()], per_channel=True)
    assert b.reasons(conversion)["bad0"] == OUT_OF_PROPORTION


def between():
    """A small layer that hands INT8 values on behind much work."""
    x = tf.nn.max_pool2d(large(b.image((None, 32, 32, 4))), 8, 8, "SAME")
    x = bad(b.conv_block(x, "before", kernel=1, filters=4), "bad0")
    tf.identity(b.conv_block(x, "behind", kernel=1, filters=4), "out")


@pytest.mark.parametrize(
    ("net", "converted"),
    [(beside(), 0), (between, 4 * 4 * 4 + 4 * 3 * 4)],
    ids=["between FP32 ops", "between INT8 ops"],
)
@pytest.mark.parametrize(("times", "stays"), [(9.9, False), (10.1, True)])
@pytest.mark.usefixtures("nothing_is_ruinous")
def test_ten_times_its_share_of_the_work(monkeypatch, net, converted, times, stays):
    """What its neighbours would have to convert is work, too: 50 for each value."""
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", 0)
    feed = smooth()
    _, prepared = unpaying(net, feed)
    work = {group.root: count_work(prepared.graph, group, prepared.statistics) for group in prepared.groups.values()}
    name = prepared.groups["bad0"].root
    share = times * (work[name] + 50 * converted) / sum(work.values())
    assert 0.0 < share < 0.9

    def told(group):
        """Only this one and the large ones err, the latter by what is left of all errors."""
        if group.linear.startswith("large"):
            return 0.4 * (1 / share - 1) / 3
        return 0.4 if group.root == name else 0.0

    tell_errors(monkeypatch, told)
    monkeypatch.setattr(payoff, "_alone_and_with_maker", lambda group, *arguments: [(group,)])
    monkeypatch.setattr(payoff, "_TIMES_MEDIAN", 0.0)
    assert unpaying(net, feed)[0] == ({"bad0": OUT_OF_PROPORTION} if stays else {})


@pytest.mark.usefixtures("nothing_is_ruinous")
def test_conversions_are_part_of_what_may_stay(monkeypatch):
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", 0)
    tell_errors(monkeypatch, lambda group: float(group.linear == "bad0"))
    assert unpaying(between, smooth())[0] == {"bad0": OUT_OF_PROPORTION}
    monkeypatch.setattr(payoff, "_WORK_OF_A_VALUE", 5000)
    assert unpaying(between, smooth())[0] == {}


def test_one_that_is_as_bad_as_the_others_stays_int8(monkeypatch):
    """Where all lose much, there is no proportion to be out of."""
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", 0)

    def net():
        x = b.image((None, 32, 32, 4))
        means([bad(x, "bad%d" % number) for number in range(120)])  # each of them has less than 1 % of the work

    assert unpaying(net, smooth())[0] == {}


@pytest.mark.usefixtures("nothing_is_ruinous")
def test_one_with_much_work_stays_int8(monkeypatch):
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", 0)

    def net():
        x = b.image((None, 32, 32, 4))
        means([b.conv_block(x, "a", filters=2), b.conv_block(x, "b", filters=2), bad(x, "bad")])

    assert unpaying(net, smooth())[0] == {}
    monkeypatch.setattr(payoff, "_USUALLY", payoff._Limits(10.0, 1.0, 1.0))
    assert unpaying(net, smooth())[0] == {"bad": OUT_OF_PROPORTION}


@pytest.mark.parametrize(("ruinous", "left"), [(np.inf, {}), (1e-2, {"bad": OUT_OF_PROPORTION})])
def test_one_that_ruins_the_network_may_take_more(monkeypatch, ruinous, left):
    """A twentieth of the work, most of the errors."""
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", 0)
    monkeypatch.setattr(payoff, "_RUINOUS_ERROR", ruinous)

    def net():
        x = b.image((None, 32, 32, 4))
        means([b.conv_block(x, "a", filters=4), bad(x, "bad")])

    found, prepared = unpaying(net, smooth())
    work = {name: count_work(prepared.graph, group, prepared.statistics) for name, group in prepared.groups.items()}
    assert 0.02 < work["bad"] / sum(work.values()) < 0.1
    assert found == left


def edges(x, name):
    """Differences of neighbours on a tensor that a small convolution makes."""
    return bad(b.conv_block(x, name + "/maker", kernel=1, filters=4), name)


def test_one_with_the_maker_of_what_it_reads(monkeypatch):
    """Alone it would have to read what INT8 has rounded, and that converted; with its maker nothing is converted."""
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", 0)

    def net():
        x = b.image((None, 32, 32, 4))
        means([large(x), edges(x, "edge")])

    _, prepared = unpaying(net, smooth())
    roots = {prepared.groups["edge"].root: 4e-3, prepared.groups["edge/maker"].root: 1e-3}
    tell_errors(monkeypatch, lambda group: roots.get(group.root, 1e-5))
    monkeypatch.setattr(payoff, "_WORK_OF_A_VALUE", 1e5)
    left = unpaying(net, smooth())[0]
    assert left == {"edge": OUT_OF_PROPORTION, "edge/maker": OUT_OF_PROPORTION}


def test_what_rounding_its_input_costs_goes_to_the_maker(monkeypatch):
    """The maker by itself hardly errs; but FP32 reads what INT8 has rounded when its reader alone is left."""
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", 0)

    def net():
        x = b.image((None, 32, 32, 4))
        means([large(x), edges(x, "edge")])

    _, prepared = unpaying(net, smooth())
    edge, maker = prepared.groups["edge"].root, prepared.groups["edge/maker"].root
    tell_errors(monkeypatch, lambda group: {edge: 5e-3}.get(group.root, 1e-6))
    monkeypatch.setattr(payoff, "_alone_and_with_maker", lambda group, *arguments: [(group,)])
    monkeypatch.setattr(payoff, "_WORK_OF_A_VALUE", 0)
    assert set(unpaying(net, smooth())[0]) == {"edge", "edge/maker"}
    monkeypatch.setattr(payoff, "input_error", lambda *arguments: 0.0)
    assert set(unpaying(net, smooth())[0]) == {"edge"}
    assert maker != edge


def test_what_equalization_mends_stays_int8(monkeypatch):
    """Its error is that behind equalization."""
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", 0)
    sizes = np.geomspace(0.01, 1.0, 8).astype(np.float32)

    def net():
        x = b.image((None, 32, 32, 4))
        y = b.conv_block(x, "maker", kernel=1, weights=b.weights_for("maker", (1, 1, 4, 8)) * sizes)
        y = b.depthwise(y, weights=b.weights_for("unlike", (3, 3, 8, 1)) / sizes[:, None], name="unlike")
        y = tf.nn.relu(b.bias(y, "unlike/bias"))
        means([large(x), y])

    graph_def = b.build(net)
    prepared = prepare(graph_def, [b.batch(graph_def, 8, seed=1)], ("out",))
    channels = frozenset(group.root for group in prepared.groups.values())
    arguments = (prepared.graph, prepared.items, prepared.statistics, prepared.trials)

    def factors():
        return equalization(*arguments[:3], channels, prepared.trials, min_max)

    unlike = prepared.groups["unlike"]
    trial = prepared.trials[unlike.root]
    plain = local_error(prepared.graph, unlike, prepared.statistics, trial, min_max)
    groups = list(prepared.groups.values())
    noise = payoff._equalized_noise(
        prepared.graph, groups, prepared.statistics, prepared.trials, min_max, channels, factors()
    )
    mended = noise[unlike.root].weighed_by(trial)
    assert mended < plain / 2
    monkeypatch.setattr(payoff, "_alone_and_with_maker", lambda group, *arguments: [(group,)])
    monkeypatch.setattr(payoff, "_LARGE_ERROR", (mended * plain) ** 0.5)
    monkeypatch.setattr(payoff, "_TIMES_MEDIAN", 0.0)
    monkeypatch.setattr(payoff, "_USUALLY", payoff._Limits(0.0, 1.0, 1.0))
    assert "unlike" in find_unpaying(*arguments, min_max, channels)
    assert "unlike" not in find_unpaying(*arguments, min_max, channels, factors)


def test_channels_of_unlike_means_that_a_padding_convolution_reads(monkeypatch):
    """It becomes FP32, which leaves far less noise in all outputs."""
    means_of_channels = np.linspace(-40.0, 40.0, 8).astype(np.float32)

    def net():
        x = b.conv_block(b.image((None, 16, 16, 4)), "first", filters=32)
        x = b.bias(b.conv(x, 8, 1, name="narrow"), "narrow/bias", means_of_channels)
        edges = b.random("edges", (3, 3, 8, 1))
        y = b.depthwise(x, weights=edges - edges.mean(axis=(0, 1), keepdims=True), name="padding")
        y = tf.nn.relu6(b.bias(y, "padding/bias", np.full(8, 3.0, np.float32)))
        x = b.conv_block(x, "wide0", kernel=1, filters=64)
        for number in range(1, 5):
            x = b.conv_block(x, "wide%d" % number, filters=64)
        means([x, y])

    graph_def = b.build(net)
    conversion = b.convert(graph_def, per_channel=True)
    assert b.reasons(conversion)["padding"] == OUT_OF_PROPORTION
    feed = b.batch(graph_def, seed=1)
    assert b.error(conversion, feed) < 0.03
    monkeypatch.setattr(payoff, "_LARGE_ERROR", np.inf)
    kept = b.convert(graph_def, per_channel=True)
    assert b.error(kept, feed) > 2 * b.error(conversion, feed)


@pytest.mark.parametrize("conversion_work", [0, 1e9], ids=["errors", "islands"])
@pytest.mark.usefixtures("nothing_is_ruinous")
def test_the_budget_holds(monkeypatch, conversion_work):
    """Each bad layer takes a thirtieth of a percent and more; all together 2 % at most stay FP32."""
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", conversion_work)
    monkeypatch.setattr(payoff, "_TIMES_MEDIAN", 0.0)

    def net():
        x = b.image((None, 32, 32, 4))
        means([large(x), *(bad(x, "bad%d" % number) for number in range(70))])

    left, prepared = unpaying(net, smooth())
    work = {name: count_work(prepared.graph, group, prepared.statistics) for name, group in prepared.groups.items()}
    spent, total = sum(work[name] for name in left), sum(work.values())
    assert 0.019 * total < spent <= 0.02 * total
    assert len(left) < 70
    assert all(name.startswith("bad") for name in left)


def test_without_patches_only_islands_stay(monkeypatch):
    prepared = prepare(b.build(beside()), [smooth()], patches=False)
    arguments = (prepared.graph, prepared.items, prepared.statistics, prepared.trials, min_max, frozenset())
    assert find_unpaying(*arguments) == {"bad0": ISLAND}
    monkeypatch.setattr(payoff, "_CONVERSION_WORK", 0)
    assert find_unpaying(*arguments) == {}


def test_islands_of_a_long_chain():
    """They are found in time: each group is looked at a few times, however many there are."""
    chain = []
    for number in range(20000):
        root, source = "c%d" % number, "c%d" % (number - 1)
        if number % 2:
            chain.append(PassThrough(root, "MaxPool", (source,)))
        else:
            summand = "c%d" % (number - 2) if number % 10 == 0 else None
            source = source if number != 10000 else "float"
            chain.append(Group(root, "Conv2D", source, None, None, summand, "", root, (root,)))
    found = payoff._islands(chain)
    assert [len(island) for island in found] == [10000]
    chain[10000] = Group("c10000", "Conv2D", "float", None, None, None, "", "c10000", ("c10000",))
    assert [len(island) for island in payoff._islands(chain)] == [5000, 5000]
