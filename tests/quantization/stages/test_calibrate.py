"""Statistics of an earlier run stand for calibration, if they are of this graph."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from intel_quantization.calibration.statistics_file import load_statistics, save_statistics
from intel_quantization.errors import BadInputError
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.stages.calibrate import FeedDigest
from tests.quantization import builders as b

pytestmark = pytest.mark.tensorflow


def net(filters=8):
    x = b.conv_block(b.image((None, 8, 8, 4)), "first", filters=filters)
    x = b.conv_block(x, "second", "relu6", filters=8)
    tf.identity(b.dense(tf.reshape(x, (-1, 512)), name="dense"), "out")


@pytest.fixture(scope="module")
def graph_def():
    return b.build(net)


@pytest.fixture(scope="module")
def feeds(graph_def):
    return [b.batch(graph_def, 16, seed=seed) for seed in (1, 2)]


def convert(graph_def, algo="AUTO", **options):
    return GraphConverter(graph_def, outputs=["out"], per_channel=True, algo=algo, threads=1, **options).convert()


def same(first, second):
    return first.graph.SerializeToString(deterministic=True) == second.graph.SerializeToString(deterministic=True)


@pytest.fixture(scope="module")
def calibrated(graph_def, feeds):
    return convert(graph_def, calibration_data=feeds)


@pytest.mark.parametrize("algo", ["AUTO", "KL", "MA", "PERCENTILE"])
@pytest.mark.parametrize("kept", ["object", "npz"])
def test_with_patches_all_is_redone_to_the_byte(tmp_path, graph_def, feeds, calibrated, algo, kept):
    saved = calibrated.statistics
    if kept == "npz":
        saved = tmp_path / "statistics.npz"
        save_statistics(calibrated.statistics, str(saved))
    assert same(convert(graph_def, algo, statistics=saved), convert(graph_def, algo, calibration_data=feeds))


def test_json_is_as_good_where_patches_decide_nothing(tmp_path, graph_def, feeds, calibrated):
    path = str(tmp_path / "s.statistics.json")
    save_statistics(calibrated.statistics, path)
    options = {"algo": "KL", "equalize": False, "adaptive_rounding": False}
    without = convert(graph_def, statistics=path, **options)
    assert without.statistics.patches == {}
    assert {item.node: item.int8 for item in without.decisions} == {
        item.node: item.int8 for item in calibrated.decisions
    }
    assert b.error(without, feeds[0]) < 0.05
    assert not same(without, calibrated)


def test_no_batch_is_fed(graph_def, calibrated):
    def feed():
        raise AssertionError("calibrated")

    convert(graph_def, statistics=calibrated.statistics, calibration_data=feed)


def test_of_another_graph(tmp_path, calibrated):
    path = str(tmp_path / "s.json")
    save_statistics(calibrated.statistics, path)
    with pytest.raises(BadInputError) as caught:
        convert(b.build(lambda: net(filters=4)), statistics=path)
    assert caught.value.message.startswith("the statistics are of another graph: its SHA-256")
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 3


def test_of_a_run_that_excluded_more(graph_def, feeds):
    saved = convert(graph_def, calibration_data=feeds, excluded_nodes=["second"]).statistics
    with pytest.raises(BadInputError, match="the statistics lack 1 tensors, 'second/out' among them"):
        convert(graph_def, statistics=saved)
    convert(graph_def, statistics=saved, excluded_nodes=["second"])
    convert(graph_def, statistics=saved, excluded_nodes=["second", "first"])


def test_the_origin(graph_def, feeds, calibrated):
    origin = calibrated.statistics.origin
    digest = FeedDigest()
    list(digest.of_each(feeds))
    assert origin["data"] == digest.hexdigest()
    assert origin["options"] == {"excluded_ops": [], "excluded_nodes": []}
    assert origin["made_by"]["tensorflow"] == tf.__version__


def test_the_digest_is_of_names_types_shapes_and_values():
    def digest(*batches):
        result = FeedDigest()
        assert [list(batch) for batch in result.of_each(batches)] == [list(batch) for batch in batches]
        return result.hexdigest()

    values = np.arange(6, dtype=np.float32)
    different = [
        digest({"x:0": values}),
        digest({"y:0": values}),
        digest({"x:0": values + 1}),
        digest({"x:0": values.astype(np.int32)}),
        digest({"x:0": values.reshape(2, 3)}),
        digest({"x:0": values}, {"x:0": values}),
        digest({"x:0": np.array(["a", "b"], object)}),
        digest(),
    ]
    assert len(set(different)) == len(different)
    assert digest({"x:0": np.array(["a", "b"], object)}) == different[-2]
    assert digest({"a": values, "b": values}) == digest({"b": values, "a": values})


# -- files -----------------------------------------------------------------------------------------


def test_patches_come_back(tmp_path, calibrated):
    path = str(tmp_path / "s.npz")
    save_statistics(calibrated.statistics, path)
    loaded = load_statistics(path)
    assert set(loaded.patches) == {"first", "second", "dense"}
    for name, values in calibrated.statistics.patches.items():
        np.testing.assert_array_equal(loaded.patches[name], values)
    assert loaded.origin == calibrated.statistics.origin
    assert (loaded.graph, loaded.samples) == (calibrated.statistics.graph, 32)


def test_damaged_files_are_told(tmp_path, calibrated):
    whole = str(tmp_path / "s.npz")
    save_statistics(calibrated.statistics, whole)
    content = (tmp_path / "s.npz").read_bytes()
    for number, damaged in enumerate(
        [content[:-30], content[:2000] + b"\0" * 200 + content[2200:], b"PK\3\4", b"{}", b"", b"[" * 100_000]
    ):
        path = tmp_path / ("%d.npz" % number)
        path.write_bytes(damaged)
        with pytest.raises(BadInputError, match=path.name):
            load_statistics(str(path))


@pytest.mark.parametrize("change", [{"origin": 3}, {"origin": {"options": 3}}, {"tensors": []}, {"samples": "many"}])
def test_a_file_of_the_wrong_shape(tmp_path, calibrated, change):
    path = tmp_path / "s.json"
    save_statistics(calibrated.statistics, str(path))
    path.write_text(json.dumps(dict(json.loads(path.read_text()), **change)))
    with pytest.raises(BadInputError, match=r"s\.json is damaged"):
        load_statistics(str(path))


def test_a_file_of_before_has_no_origin(tmp_path, graph_def, calibrated):
    path = tmp_path / "s.json"
    save_statistics(calibrated.statistics, str(path))
    data = json.loads(path.read_text())
    del data["origin"]
    path.write_text(json.dumps(data))
    convert(graph_def, "KL", statistics=path)


@pytest.mark.parametrize(
    "change",
    [
        {"count": -1},
        {"count": 1.5},
        {"min": 9.0},
        {"max": float("inf")},
        {"shape": [None, "8"]},
        {"histogram": {"5": -1}},
        {"histogram": {"5000": 1}},
        {"channel_sum": [1.0, 2.0]},
        {"channel_sum": [float("nan")] * 4},
        {"batches": {"count": 2, "min_sum": float("nan"), "max_sum": 1.0}},
    ],
)
def test_numbers_that_cannot_be(tmp_path, calibrated, change):
    path = tmp_path / "s.json"
    save_statistics(calibrated.statistics, str(path))
    data = json.loads(path.read_text())
    data["tensors"]["input"].update(change)
    path.write_text(json.dumps(data))
    with pytest.raises(BadInputError, match=r"s\.json is damaged"):
        load_statistics(str(path))


def test_patches_that_do_not_fit(tmp_path, graph_def, calibrated):
    path = str(tmp_path / "s.npz")
    for wrong in (np.zeros((40, 9, 5), np.float32), np.zeros((40, 4, 4), np.float32)):
        patches = dict(calibrated.statistics.patches, first=wrong)
        save_statistics(dataclasses.replace(calibrated.statistics, patches=patches), path)
        with pytest.raises(BadInputError, match="the patches of 'first' do not fit"):
            convert(graph_def, statistics=path)
