"""Rules: which one is tried, what each says about what it leaves, and that all are in the pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from intel_quantization import transforms
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.pattern import Any, Const, Mismatch, Op
from intel_quantization.transforms.pipeline import OPTIMIZE_FP32
from intel_quantization.transforms.rule import Refusal, Rule, Rules, WholeGraph, refusals
from tests.quantization.builders import build, conv, image, random

pytestmark = pytest.mark.tensorflow

RELU = Op("Relu", inputs=(Any("x"),))


def chain():
    """input -> first (Relu) -> second (Relu) -> out (Mul by a constant)."""
    x = tf.nn.relu(tf.nn.relu(image(), name="first"), name="second")
    tf.multiply(x, tf.constant(random("factor", (4,))), name="out")


def graph_of(function=chain, outputs=("out",)):
    return Graph(build(function), outputs)


def become(op):
    def rewrite(graph, node, found):
        assert found.tensors["x"] == graph.data_inputs(node)[0]
        node.op = op

    return rewrite


def test_the_first_rule_that_fits_rewrites():
    graph = graph_of()
    rules = Rules(
        "both",
        Rule((RELU,), become("Elu"), refuse=lambda graph, node, found: "not the first" if node.name == "first" else ""),
        Rule((RELU,), become("Selu")),
    )
    assert rules(graph) == 2
    assert (graph.nodes["first"].op, graph.nodes["second"].op) == ("Selu", "Elu")
    assert rules(graph) == 0
    assert rules.__name__ == "both"


def test_a_refusal_is_told_and_changes_nothing():
    graph = graph_of()
    before = graph.to_graph_def()
    rules = Rules("never", Rule((RELU,), become("Elu"), refuse=lambda graph, node, found: "no " + node.name))
    assert refusals(graph, [rules, rules]) == {"first": "no first", "second": "no second"}
    assert rules(graph) == 0
    assert graph.to_graph_def() == before


def test_what_would_be_rewritten_has_no_reason():
    assert refusals(graph_of(), [Rules("all", Rule((RELU,), become("Elu")))]) == {}


def test_what_is_no_concern_of_a_rule_gets_no_reason():
    asked = []

    def refuse(graph, node, found):
        asked.append(node.name)
        return "no"

    rule = Rule((RELU,), become("Elu"), refuse, concerns=lambda graph, node: node.name == "second")
    assert refusals(graph_of(), [Rules("some", rule)]) == {"second": "no"}
    assert asked == ["second"]


def test_the_pattern_says_why_it_does_not_match():
    pattern = Op("Mul", inputs=(Op("Conv2D", inputs=(Any("x"),)), Const("factor")), commutative=True)
    rules = Rules("scaled", Rule((pattern,), become("Elu")))
    assert refusals(graph_of(), [rules]) == {"out": "'second' is a Relu, not a Conv2D"}


def test_a_reason_may_be_about_another_node_or_none():
    def refuse(graph, node, found):
        return Mismatch("it follows", node="out") if node.name == "second" else Mismatch("")

    assert refusals(graph_of(), [Rules("chain", Rule((RELU,), become("Elu"), refuse))]) == {"out": "it follows"}


def test_the_rule_that_came_furthest_tells():
    shallow = Rules("shallow", Rule((Op("Mul", inputs=(Op("Conv2D"), Any("y"))),), become("Elu")))
    deep = Op("Mul", inputs=(Op("Relu", inputs=(Op("MatMul"),)), Any("y")))
    as_deep = Op("Mul", inputs=(Op("Relu", inputs=(Op("Conv3D"),)), Any("y")))
    rules = Rules("deep", Rule((deep,), become("Elu")), Rule((as_deep,), become("Elu")))
    reason = "'first' is a Relu, not a MatMul; 'first' is a Relu, not a Conv3D"
    assert refusals(graph_of(), [shallow, rules]) == {"out": reason}


def test_of_two_orders_the_one_that_came_further_tells():
    def net():
        x = conv(image(), name="conv")
        tf.nn.relu(x, name="reader")
        tf.add(tf.constant(random("term", (8,)), name="term"), x, name="out")

    linear = Op("Conv2D", inputs=(Any("x"),), private=True)
    rules = Rules("biased", Rule((Op("AddV2", inputs=(linear, Const("c")), commutative=True),), become("Elu")))
    assert refusals(graph_of(net, ("out", "reader")), [rules]) == {"out": "'conv' is also read elsewhere"}


def test_a_pass_over_the_whole_graph():
    both = WholeGraph("whole", len, lambda graph: [Refusal("out", "because")])
    graph = graph_of()
    assert both(graph) == len(graph)
    assert refusals(graph, [both, lambda graph: 0]) == {"out": "because"}


def test_every_file_is_registered_and_has_its_pass():
    """A fusion that is not in the pipeline does nothing, and nobody would see that."""
    others = {"__init__", "rule", "pipeline", "cut_at_inputs"}  # the last one is told the inputs by the converter
    files = {path.stem for path in Path(transforms.__file__).parent.glob("*.py")} - others
    assert {item.__name__ for item in OPTIMIZE_FP32} == files
