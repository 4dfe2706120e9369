"""Recorders leave the graph as it was to its users, and record what calibration in process sees."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as context

from intel_quantization.calibration.by_command.recorders import Recorder, add_recorders
from intel_quantization.calibration.by_command.records import Records, parse
from intel_quantization.calibration.instrument import calibrate
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.session import open_session
from tests.quantization.builders import (
    bias,
    build,
    conv,
    conv_block,
    dense,
    image,
    node,
    old_control_flow,
    ops,
    random,
    run,
    v1,
)

pytestmark = pytest.mark.tensorflow

TOLERANCE = 1e-5
"""Of ranges and channel means, relative to the tensor's largest value: Grappler fuses what calibration does not."""


@pytest.fixture
def record(tmp_path):
    """A function: put recorders into a graph, run it; gives the new graph, the records, and the outputs' values."""

    def function(graph_def, recorders, feeds, output="out"):
        records = Records(str(tmp_path / "records"), recorders)
        graph = Graph(graph_def)
        add_recorders(graph, recorders, records.directory)
        recording = graph.to_graph_def()
        values = [run(recording, feed, output)[0] for feed in feeds]
        records.read()
        assert not list((tmp_path / "records").iterdir())
        return recording, records, values

    return function


def assert_same(given, wanted):
    """The same statistics of one tensor, up to rounding."""
    assert (given.count, given.shape) == (wanted.count, wanted.shape)
    assert (given.batches, given.empties) == (wanted.batches, wanted.empties)
    scale = max(abs(wanted.minimum), abs(wanted.maximum)) if wanted.count else 1
    for key in ("minimum", "maximum", "minimum_sum", "maximum_sum"):
        assert getattr(given, key) == pytest.approx(getattr(wanted, key), abs=TOLERANCE * scale), key
    if wanted.channel_sum is None:
        assert given.channel_sum is None
    else:
        for key in ("channel_mean", "channel_minimum", "channel_maximum"):
            np.testing.assert_allclose(
                getattr(given, key), getattr(wanted, key), rtol=0, atol=TOLERANCE * scale, err_msg=key
            )
    if wanted.histogram is None:
        assert given.histogram is None
    else:
        assert given.histogram.sum() == wanted.histogram.sum()
        # a value at the edge of a bin may fall into the next
        assert np.abs(given.histogram - wanted.histogram).sum() <= 2e-3 * wanted.histogram.sum() + 2


def check(record, graph_def, names, feeds, output="out"):
    """Recording and calibrating in process agree on some tensors, and the output has the same values."""
    recorders = [Recorder(name, channels=True, histogram=True) for name in names]
    recording, records, values = record(graph_def, recorders, feeds, output)
    wanted = calibrate(graph_def, names, feeds, channel_means=names, histograms=True)
    for name in names:
        assert_same(records.tensors[name], wanted.tensors[name])
    for feed, value in zip(feeds, values):
        np.testing.assert_allclose(value, run(graph_def, feed, output)[0], atol=1e-5)
    return recording


def net():
    x = conv_block(image(), "first")
    x = tf.identity(conv_block(x, "second", strides=2), name="between")
    x = tf.reshape(x, [-1, 4 * 4 * 8])
    tf.nn.softmax(bias(dense(x, name="dense"), name="logits"), name="out")


FEEDS = [{"input:0": random("a", (2, 8, 8, 4))}, {"input:0": random("b", (3, 8, 8, 4))}]
NAMES = ["input", "first/out", "between", "second/out", "logits", "out"]


def test_the_statistics_are_those_of_calibration_in_process(record):
    check(record, build(net), NAMES, FEEDS)


def test_inputs_and_outputs_stay_what_they_are(record):
    before = build(net)
    after = check(record, before, NAMES, FEEDS)
    assert node(after, "input").op == "Placeholder"
    assert node(after, "input").attr["shape"] == node(before, "input").attr["shape"]
    assert {item.name for item in before.node} <= {item.name for item in after.node}
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(after, name="")
    assert graph.get_tensor_by_name("out:0").shape.as_list() == [None, 10]
    assert ops(after)["Print"] == len(NAMES)


def test_only_counting(record):
    graph_def = build(net)
    _, records, _ = record(graph_def, [Recorder("input", values=False), Recorder("out")], FEEDS)
    assert list(records.tensors) == ["out"]
    assert sorted(records.batches(["input"])) == [2, 3]


def test_one_output_of_several(record):
    def split():
        halves = tf.split(image(), 2, axis=3, name="halves")
        tf.add(tf.nn.relu(halves[1]), halves[0], name="out")

    check(record, build(split), ["halves:1", "halves", "out"], FEEDS)


def test_a_loop(record):
    def loop():
        x = conv(image((None, 8, 8, 4)), filters=4, name="before")
        with old_control_flow():
            v1.while_loop(
                lambda i, _: i < 3,
                lambda i, y: [i + 1, tf.nn.relu(conv(y, filters=4, name="inside"), name="active")],
                [0, x],
                [tf.TensorShape([]), tf.TensorShape([None, 8, 8, 4])],
                name="loop",
            )

    graph_def = build(loop)
    inside = [item.name for item in graph_def.node if item.name in ("loop/active", "loop/inside")]
    enters = [item.name for item in graph_def.node if item.op == "Enter" and item.name.startswith("loop/Enter_1")]
    output = next(item.name for item in graph_def.node if item.op == "Exit" and item.name != "loop/Exit")
    assert len(inside) == 2
    assert enters
    check(record, graph_def, ["before", *inside, *enters, output], FEEDS, output)


def test_a_branch_records_only_when_it_is_taken(record):
    def branch():
        x, flag = image(), v1.placeholder(tf.bool, [], "flag")
        with old_control_flow():
            y = v1.cond(
                flag,
                lambda: conv(x, filters=4, name="yes", weights=random("w", (3, 3, 4, 4))),
                lambda: tf.nn.relu(x, name="no"),
            )
        tf.identity(y, name="out")

    graph_def = build(branch)
    names = [item.name for item in graph_def.node if item.name in ("cond/yes", "cond/no", "cond/Merge")]
    assert len(names) == 3
    feeds = [dict(FEEDS[0], **{"flag:0": True}), dict(FEEDS[1], **{"flag:0": False})]
    check(record, graph_def, names, feeds)


def test_scalars_vectors_and_matrices(record):
    def small():
        x = image((None, 6))
        vector = tf.reduce_sum(x, axis=0, name="vector")
        tf.add(tf.reduce_sum(vector, name="scalar"), tf.nn.relu(x), name="out")

    check(record, build(small), ["input", "vector", "scalar", "out"], [{"input:0": random("m", (5, 6))}])


def test_an_empty_tensor(record):
    graph_def = build(lambda: tf.boolean_mask(image((None, 2)), image((None,), "keep", tf.bool), name="kept"))
    name = next(item.name for item in graph_def.node if item.op == "GatherV2")
    feed = {"input:0": np.ones((3, 2), np.float32)}
    feeds = [dict(feed, **{"keep:0": np.zeros(3, bool)}), dict(feed, **{"keep:0": np.ones(3, bool)})]
    check(record, graph_def, [name], feeds, name)


def test_a_large_tensor_is_sampled_in_the_same_way(record):
    graph_def = build(lambda: tf.nn.relu(image((None, 1001, 30)), name="out"))
    check(record, graph_def, ["input", "out"], [{"input:0": random("large", (3, 1001, 30))}])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_told(record, value):
    array = random("a", (2, 8, 8, 4))
    array[0, 0, 0, 0] = value
    graph_def = build(lambda: tf.nn.relu(image(), name="out"))
    _, records, _ = record(graph_def, [Recorder("input")], [{"input:0": array}])
    assert not np.isfinite(records.tensors["input"].minimum)


def test_a_record_that_is_cut_off_is_none(tmp_path):
    recorder = Recorder("x", channels=True, histogram=True)
    records = Records(str(tmp_path / "records"), [recorder])
    graph = Graph(build(lambda: tf.nn.relu(image(name="x"), name="out")))
    add_recorders(graph, [recorder], records.directory)
    run(graph, {"x:0": FEEDS[0]["input:0"]}, "out")
    (path,) = (tmp_path / "records").iterdir()
    data = path.read_bytes()
    assert parse(data, recorder) is not None
    for length in (*range(40), 1000, len(data) - 1):
        assert parse(data[:length], recorder) is None
    assert parse(data, Recorder("x")) is None
    path.write_bytes(data[:100])
    (tmp_path / "records" / "9-1").write_bytes(data)
    (tmp_path / "records" / "other").write_bytes(data)
    assert records.read() == 0
    path.write_bytes(data)
    assert records.read() == 1
    assert records.tensors["x"].count == 512


def test_the_same_images_again_are_recorded_again(record):
    _, records, _ = record(build(net), [Recorder("input", values=False), Recorder("out")], [])
    graph = Graph(build(net))
    add_recorders(graph, records.recorders, records.directory)
    with open_session(graph.to_graph_def()) as session:
        for _ in range(5):
            session.run("out:0", FEEDS[0])
    assert records.read() == 10
    assert records.batches(["input"]) == [2] * 5


@pytest.mark.skipif(not hasattr(tf.config.experimental, "enable_op_determinism"), reason="TensorFlow before 2.9")
def test_where_tensorflow_is_told_to_be_deterministic(record):
    tf.config.experimental.enable_op_determinism()
    try:
        _, records, _ = record(build(net), [Recorder("out", True, True, True)], FEEDS)
    finally:
        context.disable_op_determinism()
    assert records.tensors["out"].count == 50


def test_samples_are_done_when_every_tensor_was_seen_or_the_next_run_began(tmp_path):
    records = Records(str(tmp_path / "records"), [Recorder("in", values=False), Recorder("out")])
    records._sizes = {"in": [4, 4, 2], "out": [4]}
    assert records.done(["in"], ["out"]) == 8
    records._sizes = {"in": [4, 4, 2], "out": [4, 4, 2]}
    assert records.done(["in"], ["out"]) == 10
    records._sizes = {"in": [100], "out": []}
    assert records.done(["in"], ["out"]) == 0
    assert records.batches(["in", "out"]) == [100]
