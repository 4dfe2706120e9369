"""Statistics: merging in any order, and the file."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intel_quantization.calibration import statistics_file
from intel_quantization.calibration.statistics import BINS, Statistics, TensorStatistics, bin_edges, histogram_of
from intel_quantization.calibration.statistics_file import load_statistics, save_statistics
from intel_quantization.calibration.summary import summary
from intel_quantization.errors import BadInputError, QuantizationError

pytestmark = pytest.mark.tensorflow


def seen(values):
    """The statistics of an array of shape [n, channels]."""
    values = np.asarray(values, np.float32)
    if not values.size:
        return TensorStatistics(shape=(None, *values.shape[1:]))
    return TensorStatistics(
        values.size,
        float(values.min()),
        float(values.max()),
        (None, *values.shape[1:]),
        values.sum(axis=0, dtype=np.float64),
        histogram=histogram_of(values),
    )


def same(first, second):
    assert (first.count, first.minimum, first.maximum, first.shape) == (
        second.count,
        second.minimum,
        second.maximum,
        second.shape,
    )
    np.testing.assert_allclose(first.channel_sum, second.channel_sum, atol=1e-6)
    np.testing.assert_array_equal(first.histogram, second.histogram)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_merging_in_any_order_is_seeing_all_at_once(sizes, seed, shuffle):
    generator = np.random.RandomState(seed)
    parts = [generator.normal(0, 10, (size, 3)) for size in sizes]
    whole = seen(np.concatenate(parts))
    shuffle.shuffle(parts)
    merged = TensorStatistics()
    for part in parts:
        merged.merge(seen(part))
    same(merged, whole)


def test_merging_does_not_change_the_other():
    first, second = seen([[1, 2]]), seen([[3, 4]])
    merged = TensorStatistics()
    merged.merge(first)
    merged.merge(second)
    same(first, seen([[1, 2]]))
    same(second, seen([[3, 4]]))


def test_an_empty_batch_changes_nothing_and_is_counted(tmp_path):
    merged = seen([[1, 2]])
    merged.merge(seen(np.zeros((0, 2))))
    same(merged, seen([[1, 2]]))
    merged = seen(np.zeros((0, 2)))
    merged.merge(seen([[1, 2]]))
    same(merged, seen([[1, 2]]))
    for values in (np.zeros((0, 2)), [[3, 4]], np.zeros((0, 5))):
        merged.merge(summary(np.array(values, np.float32)))
    assert merged.empties == 2
    path = str(tmp_path / "statistics.json")
    save_statistics(Statistics("", 3, {"x": merged, "y": seen([[1, 2]])}), path)
    loaded = load_statistics(path).tensors
    assert (loaded["x"].empties, loaded["y"].empties) == (2, 0)


def test_shapes_that_differ():
    first = TensorStatistics(4, 0, 1, (None, 2, 3))
    first.merge(TensorStatistics(4, 0, 1, (None, 4, 3)))
    assert first.shape == (None, None, 3)
    first.merge(TensorStatistics(4, 0, 1, (None, 3)))
    assert first.shape is None
    first.merge(TensorStatistics(4, 0, 1, (None, 3)))
    assert first.shape is None


def test_what_one_part_did_not_collect_is_unknown():
    first = seen([[1, 2]])
    first.merge(TensorStatistics(2, 0, 1, (None, 2)))
    assert first.channel_sum is None
    assert first.histogram is None
    assert first.channel_mean is None


def test_channel_mean():
    assert seen([[1, 2], [3, 6]]).channel_mean.tolist() == [2, 4]
    assert TensorStatistics().channel_mean is None


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_value_lies_in_its_bin(value):
    (index,) = np.flatnonzero(histogram_of(np.float32(value)))
    low, high = bin_edges(int(index))
    assert min(low, high) <= value <= max(low, high)
    if abs(value) > 1e-30:
        assert abs(high) <= abs(low) * 1.126


def test_the_histogram_has_all_values():
    values = np.array([0.0, -0.0, 1.0, 1.0, -3e38, np.inf], np.float32)
    histogram = histogram_of(values.reshape(2, 3))
    assert histogram.shape == (BINS,)
    assert histogram.sum() == 6
    assert histogram.max() == 2


def test_the_file_keeps_everything(tmp_path):
    path = str(tmp_path / "s.json")
    statistics = Statistics("abc", 7, {"x": seen([[1, -2.5], [3e-9, 4]]), "y": TensorStatistics(2, 0.0, 1.0, None)})
    statistics.tensors["z"] = TensorStatistics(2, 0.0, 1.0, (None, None, 3))
    save_statistics(statistics, path)
    loaded = load_statistics(path)
    assert (loaded.graph, loaded.samples, set(loaded.tensors)) == ("abc", 7, {"x", "y", "z"})
    same(loaded.tensors["x"], statistics.tensors["x"])
    assert loaded.tensors["y"].shape is None
    assert loaded.tensors["y"].histogram is None
    assert loaded.tensors["z"].shape == (None, None, 3)
    first = (tmp_path / "s.json").read_bytes()
    save_statistics(loaded, path)
    assert (tmp_path / "s.json").read_bytes() == first


def test_never_seen_survives_the_file(tmp_path):
    save_statistics(Statistics(tensors={"x": TensorStatistics()}), str(tmp_path / "s.json"))
    assert load_statistics(str(tmp_path / "s.json")).tensors["x"].minimum == float("inf")


def test_merging_statistics():
    first = Statistics("", 1, {"x": seen([[1, 2]])})
    first.merge(Statistics("abc", 2, {"x": seen([[3, 4]]), "y": seen([[5, 6]])}))
    assert (first.graph, first.samples, first.tensors["x"].count, first.tensors["y"].maximum) == ("abc", 3, 4, 6)
    with pytest.raises(BadInputError, match="another graph"):
        first.merge(Statistics("other"))


GOOD = {"schema": 1, "graph": "", "samples": 1, "tensors": {"x": {"count": 1, "min": 0, "max": 1, "shape": [None]}}}


def damaged(**changes):
    return json.dumps(dict(GOOD, tensors={"x": dict(GOOD["tensors"]["x"], **changes)})).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[1]",
        b"{}",
        json.dumps(dict(GOOD, schema=2)).encode(),
        json.dumps(dict(GOOD, tensors=3)).encode(),
        damaged(count="many"),
        damaged(histogram={"5000": 1}),
        damaged(histogram={"-1": 1}),
        damaged(histogram=[1]),
        damaged(channel_sum=["a"]),
        damaged(shape=3),
        damaged(count=10**400),
        damaged(max=1e308),
        damaged(min=1, max=0),
        damaged(channel_sum=[float("nan")]),
        json.dumps(dict(GOOD, samples=-1)).encode(),
        json.dumps(dict(GOOD, samples=10**400)).encode(),
        json.dumps(dict(GOOD, origin={"data": "\ud800"})).encode(),
        json.dumps(dict(GOOD, sensitivities=[1])).encode(),
        json.dumps(dict(GOOD, sensitivities={"x": 1})).encode(),
        json.dumps(dict(GOOD, sensitivities={"x": ["a"]})).encode(),
        json.dumps(dict(GOOD, sensitivities={"x": [-1.0]})).encode(),
        json.dumps(dict(GOOD, sensitivities={"x": [float("nan")]})).encode(),
        b"[" * 1_000_000,
    ],
)
def test_a_damaged_file(tmp_path, data):
    path = tmp_path / "s.json"
    path.write_bytes(data)
    with pytest.raises(BadInputError, match=r"s\.json"):
        load_statistics(str(path))


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_sensitivities_are_kept_and_each_is_one_run_s(tmp_path, suffix):
    path = str(tmp_path / ("s" + suffix))
    given_ = {"x": np.array([0.123, 4e-9]), "y": np.array([0.0])}
    save_statistics(Statistics("g", 1, {}, sensitivities=given_), path)
    found = load_statistics(path)
    assert {name: values.tolist() for name, values in found.sensitivities.items()} == {
        "x": [0.123, 4e-9],
        "y": [0.0],
    }
    found.merge(Statistics("g", 1, {}, sensitivities={"x": np.array([7.0, 7.0]), "z": np.array([2.0])}))
    assert found.sensitivities["x"].tolist() == [0.123, 4e-9]
    assert sorted(found.sensitivities) == ["x", "y", "z"]


GOOD_TEXT = json.dumps(GOOD)


def _archive(text=GOOD_TEXT, member=b"", flags=0):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("statistics.json", text)
        archive.writestr("0.npy", member)
    data = bytearray(content.getvalue())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= flags
    return bytes(data)


def _npy(header):
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


WITH_PATCHES = json.dumps(dict(GOOD, patches=["x"]))


@pytest.mark.parametrize(
    "data",
    [
        _archive("no json"),
        _archive(flags=1),  # encrypted
        _archive(WITH_PATCHES),
        _archive(WITH_PATCHES, _npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000, 99), }\n")),
        _archive(WITH_PATCHES, _npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (\n")),
        _archive(WITH_PATCHES, _npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 1), }\n")),
        _archive()[:-40],
    ],
)
def test_a_damaged_archive(tmp_path, data):
    path = tmp_path / "s.npz"
    path.write_bytes(data)
    with pytest.raises(BadInputError, match=r"s\.npz"):
        load_statistics(str(path))


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_what_is_too_large_is_not_read(tmp_path, monkeypatch, suffix):
    """A few MB of an archive may be gigabytes."""
    monkeypatch.setattr(statistics_file, "_MOST_BYTES", 1000)
    path = tmp_path / ("s" + suffix)
    path.write_bytes(b" " * 1001 if suffix == ".json" else _archive(GOOD_TEXT + " " * 1000))
    with pytest.raises(BadInputError, match="holds over 1000 bytes"):
        load_statistics(str(path))


def test_files_that_cannot_be_read_or_written(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        load_statistics(str(tmp_path / "none"))
    with pytest.raises(QuantizationError, match="cannot write"):
        save_statistics(Statistics(), str(tmp_path))
