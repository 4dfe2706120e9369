"""Transformers and recommenders as Keras writes them: every product with constant weights becomes INT8."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from intel_quantization.reading.interface import find_outputs
from tests.quantization.builders import convert, ops, random, run

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("everything_pays")]

TOKENS, WIDTH, HEADS = 12, 24, 3
layers = tf.keras.layers


@pytest.fixture(autouse=True)
def small_products_pay_lifted(monkeypatch):
    monkeypatch.setattr("intel_quantization.kinds.matmul.pays_lifted", lambda case: True)


def encoder(x, activation):
    """Attention and two dense layers, each added to what it reads and normalised."""
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(x, x))
    return layers.LayerNormalization()(x + layers.Dense(WIDTH)(layers.Dense(2 * WIDTH, activation=activation)(x)))


def freeze(model):
    """The frozen graph of a model with weights that depend on their order only, its input and its output."""
    for number, weights in enumerate(model.weights):
        scale = 0.3 if len(weights.shape) < 2 else float(np.prod(weights.shape[:-1])) ** -0.5
        weights.assign(random("weights%d" % number, tuple(weights.shape), scale) + (len(weights.shape) < 2))
    spec = tf.TensorSpec((None, *model.inputs[0].shape[1:]), model.inputs[0].dtype, "x")
    function = convert_variables_to_constants_v2(
        tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
    )
    return function.graph.as_graph_def(), function.inputs[0].name, function.outputs[0].name.partition(":")[0]


def check(model, sample, products):
    """Convert, run; all products have to be INT8. Returns the INT8 graph and the reasons of what stayed FP32."""
    graph_def, source, output = freeze(model)
    feeds = [{source: sample(seed)} for seed in range(3)]
    conversion = convert(graph_def, feeds[:2], outputs=[output])
    assert [item.int8 for item in conversion.decisions if item.op == "MatMul"] == [True] * products
    assert find_outputs(conversion.graph, [output]) == find_outputs(graph_def, [output])
    before, after = (run(graph, feeds[2], output)[0] for graph in (graph_def, conversion.graph))
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    centred = before - before.mean(axis=0)
    assert 10 * np.log10((centred**2).sum() / ((after - before) ** 2).sum()) > 20
    return conversion.graph, [item.reason for item in conversion.decisions if not item.int8]


def values(shape):
    return lambda seed: random("sample%d" % seed, (4, *shape))


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("tokens", [TOKENS, None], ids=["of one length", "of any length"])
def test_encoder(activation, tokens):
    x = tf.keras.Input((tokens, WIDTH))
    model = tf.keras.Model(x, encoder(encoder(x, activation), activation))
    graph, left = check(model, values((TOKENS, WIDTH)), 12)
    assert left == ["Einsum has no INT8 kernel"] * 4  # attention itself, whose operands are both computed
    # query, key and value share what they read; behind a ReLU nothing is quantized anew
    assert ops(graph)["QuantizeV2"] == 2 * (3 if activation == "relu" else 4)


def test_vision_transformer():
    x = tf.keras.Input((16, 16, 3))
    y = layers.Reshape((16, WIDTH))(layers.Conv2D(WIDTH, 4, 4)(x))
    y = layers.GlobalAveragePooling1D()(encoder(encoder(y, "gelu"), "gelu"))
    _, left = check(tf.keras.Model(x, layers.Dense(10)(y)), values((16, 16, 3)), 13)
    assert left == ["Einsum has no INT8 kernel"] * 4


def test_wide_and_deep():
    x = tf.keras.Input((6,), dtype=tf.int32)
    deep = layers.Flatten()(layers.Embedding(50, 8)(x))
    for units in (32, 16):
        deep = layers.Dense(units, activation="relu")(deep)
    wide = layers.GlobalAveragePooling1D()(layers.Embedding(50, 1)(x))
    model = tf.keras.Model(x, layers.Dense(1, activation="sigmoid")(layers.add([layers.Dense(1)(deep), wide])))
    _, left = check(model, lambda seed: np.random.RandomState(seed).randint(0, 50, (8, 6)).astype(np.int32), 4)
    assert left == []
