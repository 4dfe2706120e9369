"""Which nodes give results: beside leftovers of training, assertions, loops and branches, and in the real graphs."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from intel_quantization.graph.io import read_graph
from intel_quantization.reading.interface import find_inputs, find_outputs
from intel_quantization.reading.results import result_nodes
from tests.quantization.builders import build, conv_block, dense, image, old_control_flow, v1

pytestmark = pytest.mark.tensorflow
MODELS = Path(__file__).resolve().parents[4] / "shared" / "models"
TRUTH = {  # as shared/MANIFEST.md says
    "mobilenet_v1_0.25_224_frozen": ("input", ["MobilenetV1/Predictions/Reshape_1"]),
    "mobilenet_v1_1.0_224_deq": ("input", ["MobilenetV1/Predictions/Reshape_1"]),
    "resnet50_v1_5_ktb_fp32": ("input_tensor", ["softmax_tensor", "ArgMax"]),
    "aiy_squeezenet_160res_5x5_0.75": ("input", ["Prediction"]),
    "ssd_mobilenet_v1_0.75_300_coco_deq": (
        "image_tensor",
        ["detection_boxes", "detection_scores", "detection_classes", "num_detections"],
    ),
    "aiy_mobilenet_ssd_256res_0.125_person_cat_dog": (
        "image_tensor",
        ["detection_boxes", "detection_scores", "detection_classes", "num_detections"],
    ),
    "resnet8_cifar10_mlperf_tiny": ("input_1", ["dense/Softmax"]),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(TRUTH))
def test_real_graphs(name):
    path = MODELS / (name + ".pb")
    if not path.exists():
        pytest.skip(f"{path} is not here")
    graph_def = read_graph(str(path))
    outputs = [info.node for info in find_outputs(graph_def)]
    source, results = TRUTH[name]
    assert [info.node for info in find_inputs(graph_def, outputs=outputs)] == [source]
    assert sorted(outputs) == sorted(results)


def logits(x):
    return dense(tf.reduce_mean(conv_block(x, "c"), [1, 2]), name="logits")


def variable(name, shape):
    return v1.get_variable(name, shape, use_resource=False)


@pytest.mark.parametrize("optimizer", ["GradientDescentOptimizer", "AdamOptimizer", "MomentumOptimizer"])
@pytest.mark.parametrize("softmax", [False, True])
def test_leftovers_of_training(optimizer, softmax):
    """Loss, gradients, updates, metrics, summaries and a saver beside the prediction."""

    def net():
        x, labels = image(), v1.placeholder(tf.int64, (None,), "labels")
        scale = variable("scale", (10,))
        scores = tf.multiply(logits(x), scale, name="scores")
        if softmax:
            tf.nn.softmax(scores, name="predict")
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=scores))
        total = tf.add(loss, 1e-4 * tf.nn.l2_loss(scale), name="total_loss")
        options = {"momentum": 0.9} if optimizer == "MomentumOptimizer" else {}
        getattr(v1.train, optimizer)(0.1, **options).minimize(total, v1.train.get_or_create_global_step())
        right = tf.equal(tf.argmax(scores, 1), labels)
        tf.reduce_mean(tf.cast(right, tf.float32), name="accuracy")
        v1.summary.scalar("loss", total)
        v1.summary.merge_all()
        v1.train.Saver()
        v1.global_variables_initializer()

    graph_def = build(net)
    outputs = [info.name for info in find_outputs(graph_def)]
    # without a softmax the winner, which only the metric reads, is a result
    assert outputs == (["predict:0"] if softmax else ["ArgMax:0"])
    assert [info.name for info in find_inputs(graph_def, outputs=outputs)] == ["input:0"]


def test_a_loss_alone_does_not_hide_what_goes_into_it():
    def net():
        labels = v1.placeholder(tf.int32, (None,), "labels")
        one_hot = tf.one_hot(labels, 10)
        tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=one_hot, logits=logits(image())), name="loss")

    assert result_nodes(build(net)) == ["logits"]


def test_a_graph_that_gives_nothing_but_a_loss():
    def net():
        image((None, 4), "unused")
        tf.nn.l2_loss(image((None, 4)), name="norm")

    assert result_nodes(build(net)) == ["norm"]


def test_regularisation_and_transposed_convolutions_are_no_training():
    def net():
        x = conv_block(image(), "c")
        weights = tf.constant(1.0, shape=(3, 3, 4, 8))
        tf.nn.l2_loss(weights)
        tf.nn.conv2d_transpose(x, weights, (2, 16, 16, 4), 2, name="up")

    assert result_nodes(build(net)) == ["up"]


def test_assertions_on_a_result():
    def net():
        x = tf.nn.softmax(logits(image()), name="predict")
        winner = tf.argmax(x, 1, output_type=tf.int32, name="winner")
        v1.assert_less(winner, 1000)
        v1.assert_equal(tf.shape(x)[1], 10)
        tf.debugging.Assert(tf.reduce_all(x >= 0), [x])

    assert result_nodes(build(net)) == ["winner"]
    with_old = build(lambda: _old(net))
    assert result_nodes(with_old) == ["winner"]


def _old(net):
    with old_control_flow():
        net()


def test_an_assertion_is_all_that_reads_the_result():
    def net():
        x = tf.nn.relu(conv_block(image(), "c"), name="predict")
        v1.assert_non_negative(x)
        v1.assert_equal(tf.shape(x)[1], 8)

    assert result_nodes(build(net)) == ["predict"]


@pytest.mark.parametrize("second", [False, True])
def test_loops_and_branches_at_the_end(second):
    def net():
        before = control_flow_util.ENABLE_CONTROL_FLOW_V2
        control_flow_util.ENABLE_CONTROL_FLOW_V2 = second
        try:
            x = conv_block(image((1, 4, 4, 4)), "c", filters=4)
            x = tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x, name="cond")
            x = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t * 2), [0, x], name="loop")[1]
            tf.map_fn(lambda t: t + 1, x, name="map")
        finally:
            control_flow_util.ENABLE_CONTROL_FLOW_V2 = before

    found = result_nodes(build(net))
    assert len(found) == 1
    assert found[0].startswith("map/")


def test_a_loop_itself_is_the_result():
    def net():
        with old_control_flow():
            tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t * 2), [0, image((2,))], name="loop")

    assert result_nodes(build(net)) == ["loop/Exit_1"]


def test_what_looks_on_does_not_read():
    def net():
        x = tf.nn.softmax(logits(image()), name="predict")
        tf.debugging.check_numerics(x, "watch")
        v1.summary.histogram("scores", x)
        tf.shape(x, name="shape")

    assert result_nodes(build(net)) == ["predict"]


def test_several_tensors_of_one_result():
    graph_def = build(lambda: tf.nn.top_k(tf.nn.softmax(logits(image())), 3, name="best"))
    assert [(info.name, info.dtype) for info in find_outputs(graph_def)] == [("best:0", "float32"), ("best:1", "int32")]
