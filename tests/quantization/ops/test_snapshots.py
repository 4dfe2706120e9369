"""The data file of registries: true for the running TensorFlow, sorted, and read as the live registry is."""

from __future__ import annotations

import itertools
import json

import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.ops import registry
from intel_quantization.ops.snapshots import PATH, Snapshot, expand, order, snapshots, snapshots_from
from tests.capabilities.snapshot import compress, running_ops, text

pytestmark = pytest.mark.tensorflow

QINT8, QUINT8, FLOAT, HALF = types_pb2.DT_QINT8, types_pb2.DT_QUINT8, types_pb2.DT_FLOAT, types_pb2.DT_HALF


@pytest.fixture(scope="module")
def running():
    return Snapshot(tf.__version__, running_ops())


def test_the_running_version_is_as_its_registry_says(running):
    """If this fails, run tests/capabilities/snapshot.py with this very Python."""
    known = {item.version: item for item in snapshots()}
    assert known[tf.__version__].ops == running.ops


def test_the_file_is_what_the_script_writes():
    with open(PATH, encoding="utf-8") as stream:
        written = stream.read()
    assert text(compress(expand(json.loads(written)))) == written


def test_versions_come_and_go_in_the_file():
    versions = {"1.9.0": {"A": (["x"], [])}, "1.10.0": {"A": (["x"], []), "B": ([], [])}, "2.0.0": {"A": (["y"], [])}}
    versions["2.1.0"] = {"A": (["y"], []), "B": ([], [])}
    content = compress(versions)
    assert content["ops"]["A"] == [["1.9.0", "1.10.0", ["x"], []], ["2.0.0", "2.1.0", ["y"], []]]
    assert content["ops"]["B"] == [["1.10.0", "1.10.0", [], []], ["2.1.0", "2.1.0", [], []]]
    assert expand(content) == versions
    assert expand(json.loads(text(content))).keys() == versions.keys()


def test_merged_kernels_take_what_the_registered_ones_take(running):
    """Every pair of types of every two attributes of the INT8 ops, and single ones of the others."""
    asked = 0
    for op, (attrs, _) in running.ops.items():
        if not running.knows_kernels(op) or registry.op_def(op) is None:  # Python of 1.15 knows no internal ops
            continue
        names = sorted(name for name, attr in attrs.items() if attr["type"] == "type")
        some = (QINT8, QUINT8, FLOAT, HALF, types_pb2.DT_QINT32, types_pb2.DT_INT32)
        for first, second in itertools.combinations_with_replacement(names, 2):
            for types in itertools.product(some, repeat=2):
                wanted = dict(zip((first, second), types))
                assert running.has_kernel(op, **wanted) == registry.has_kernel(op, **wanted), (op, wanted)
                asked += 1
    assert asked > 10000


def test_attributes(running):
    assert running.has_attr("Conv2D", "padding")
    assert running.has_attr("Sin", "T")
    assert not running.has_attr("Sin", "padding")
    assert not running.has_attr("NoSuchOp", "T")
    assert not running.has_kernel("NoSuchOp", T=FLOAT)


def test_kernels_that_were_not_written_down_are_not_guessed(running):
    with pytest.raises(LookupError, match=r"'Sin' .*snapshot\.py"):
        running.has_kernel("Sin", T=FLOAT)


@pytest.mark.parametrize(("target", "first"), [("1.15", "1.15.2"), ("2.1", "2.1.0"), ("2.14.0", "2.14.0")])
def test_a_target_is_a_version_and_all_later_ones(target, first):
    found = [item.version for item in snapshots_from(target)]
    assert found[0] == first
    assert found == [item.version for item in snapshots() if order(item.version) >= order(first)]
    assert found == sorted(found, key=order)


@pytest.mark.parametrize("target", ["1", "1.1", "2", "2.5", "2.140", "", ".", "newest", "1.15.2.1"])
def test_an_unknown_target_names_the_known_ones(target):
    with pytest.raises(BadInputError, match="target_tensorflow") as caught:
        snapshots_from(target)
    assert "1.15.2, 2.0.1, " in caught.value.remedy
