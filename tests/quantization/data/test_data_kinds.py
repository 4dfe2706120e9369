"""Whole jobs on each kind of data: agreement and noise always, top-1 where there are labels."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from intel_quantization import job as jobs
from intel_quantization.contract.cpu import what_int8_can_win
from intel_quantization.errors import BadInputError
from intel_quantization.events import EventStream
from intel_quantization.run import run_job
from tests.quantization.pictures import band_classifier, bands, encode, write, write_records

pytestmark = pytest.mark.tensorflow

CLASSES, EACH = 4, 8
PICTURES = np.stack([bands(number % CLASSES, CLASSES, number) for number in range(CLASSES * EACH)])
LABELS = np.arange(len(PICTURES)) % CLASSES


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Callable(job's keys) -> the events of a job in the workspace ``tmp_path``."""
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    (tmp_path / "in.pb").write_bytes(band_classifier(CLASSES))
    (tmp_path / "output").mkdir()

    def call(**changes):
        log = tmp_path / "events"
        fields = {"schema": 1, "in_graph": "in.pb", "out_graph": "output/out.pb", "samples": 10, **changes}
        run_job(
            jobs.parse(json.dumps(fields)), EventStream(os.open(str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)), []
        )
        events = [json.loads(line) for line in log.read_text().splitlines()]
        call.units = {event["unit"] for event in events if event["event"] == "progress"}
        (start,) = [event for event in events if event["event"] == "start"]
        of_cpu = what_int8_can_win(start["cpu"])
        messages = [event["message"] for event in events if event["event"] == "log" and event["message"] != of_cpu]
        return next(event for event in events if event["event"] == "result"), messages

    return call


def check(result, labelled=True, images=22):
    accuracy = result["accuracy"]
    assert accuracy["images"] == images
    assert accuracy["agreement"] >= 90
    assert accuracy["sqnr_db"] > 10
    assert accuracy["labelled"] is labelled
    if labelled:
        assert accuracy["top1_fp32"] == 100
    assert result["latency"]["batch"] >= 1


def test_records(tmp_path, run):
    (tmp_path / "dataset").mkdir()
    for shard in range(2):
        rows = range(shard, len(PICTURES), 2)
        path = str(tmp_path / "dataset" / ("validation-%05d-of-00002" % shard))
        write_records(path, [(encode("png", PICTURES[row]), int(LABELS[row]) + 1) for row in rows])
    result, messages = run(data_location="dataset", seed=3)
    check(result)
    assert messages[0].endswith("10 to calibrate, 22 others to compare on (seed 3)")
    assert any("tf 100 % right" in message and "--preprocess" in message for message in messages)
    assert result["calibration"]["preprocess_chosen"] is True


def test_bytes_in_an_array(tmp_path, run):
    np.savez(str(tmp_path / "data.npz"), pictures=PICTURES, labels=LABELS)
    result, messages = run(data_location="data.npz")
    check(result)
    assert messages[0].startswith("32 rows of ")
    assert result["calibration"]["preprocess_chosen"] is True
    assert run.units == {"rows"}
    assert (result["calibration"]["unit"], result["accuracy"]["unit"]) == ("rows", "rows")
    result, _messages = run(data_location="data.npz", preprocess="none")
    check(result)
    assert result["calibration"]["preprocess_chosen"] is False


def test_floats_in_an_array(tmp_path, run):
    np.save(str(tmp_path / "data.npy"), PICTURES / np.float32(255))
    result, messages = run(data_location="data.npy", preprocess="tf")
    check(result, labelled=False)
    assert any("--preprocess does not apply" in message for message in messages)
    assert result["calibration"]["preprocess"] is None


def test_images_with_labels(tmp_path, run):
    for number, picture in enumerate(PICTURES):
        write(tmp_path / "dataset" / ("%d.png" % number), picture)
    (tmp_path / "l.csv").write_text("label,file\n" + "".join("%d,%d.png\n" % (n % 4, n) for n in range(32)))
    result, messages = run(data_location="dataset", labels="l.csv")
    check(result)
    assert run.units == {"images"}
    assert (result["calibration"]["unit"], result["calibration"]["seed"]) == ("images", 0)
    assert not any("top-1" in message for message in messages)
    (tmp_path / "l.csv").write_text("label,file\n" + "".join("%d,%d.png\n" % (n, n) for n in range(32)))
    result, messages = run(data_location="dataset", labels="l.csv")
    check(result, labelled=False)
    assert any("top-1 is not known: the labels do not fit" in message for message in messages)


FUNCTION = """
import numpy as np

def batches(path):
    with np.load(path) as data:
        for start in range(0, 32, 4):
            rows = slice(start, start + 4)
            yield {"images": data["pictures"][rows] / np.float32(255), "labels": data["labels"][rows]}
"""


def test_a_function(tmp_path, run):
    np.savez(str(tmp_path / "data.npz"), pictures=PICTURES, labels=LABELS)
    (tmp_path / "feed.py").write_text(FUNCTION)
    result, messages = run(data_function="feed.py:batches", data_location="data.npz")
    check(result, images=20)
    assert messages[0] == "the function feed.py:batches: 10 samples to calibrate, the next 500 to compare on"
    assert result["calibration"]["samples"] == 12
    assert run.units == {"samples"}
    calibration = {key: result["calibration"][key] for key in ("unit", "function", "batch_size", "seed", "preprocess")}
    assert calibration == {
        "unit": "samples",
        "function": "feed.py:batches",
        "batch_size": None,
        "seed": None,
        "preprocess": None,
    }
    everything, messages = run(data_function="feed.py:batches", data_location="data.npz", samples=None)
    assert everything["accuracy"] is None
    assert "nothing was left to compare FP32 and INT8 on" in messages


def test_the_same_data_give_the_same_statistics(tmp_path, run):
    """Pictures in files, in records and in an array, all of them: the ranges agree to the last bit."""
    np.save(str(tmp_path / "data.npy"), PICTURES)
    write_records(str(tmp_path / "data.tfrecord"), [(encode("png", picture), None) for picture in PICTURES])
    for number, picture in enumerate(PICTURES):
        write(tmp_path / "dataset" / ("%d.png" % number), picture)
    found = []
    for where in ("data.npy", "data.tfrecord", "dataset"):
        run(data_location=where, samples=32, preprocess="none", algo="DIRECT")
        found.append((tmp_path / "output" / "out.pb").read_bytes())
    assert found[0] == found[1] == found[2]


def test_the_report_names_files_as_the_user_does(tmp_path, run):
    for folder in ("data_function", "labels", "dataset"):
        (tmp_path / folder).mkdir()
    np.savez(str(tmp_path / "dataset" / "data.npz"), pictures=PICTURES)
    (tmp_path / "data_function" / "feed.py").write_text(FUNCTION.replace(', "labels": data["labels"][rows]', ""))
    (tmp_path / "labels" / "l.txt").write_text("".join("%d\n" % label for label in LABELS))
    run(data_location="dataset/data.npz", labels="labels/l.txt")
    report = json.loads((tmp_path / "output" / "out.report.json").read_text())
    assert report["options"]["labels"] == "l.txt"
    run(data_function="data_function/feed.py:batches", data_location="dataset/data.npz")
    report = json.loads((tmp_path / "output" / "out.report.json").read_text())
    assert report["options"]["data_function"] == "feed.py:batches"
    page = (tmp_path / "output" / "out.report.html").read_text()
    assert "data_function/" not in page
    assert "12 samples, the first that the function <code>feed.py:batches</code> gave, algorithm AUTO" in page


@pytest.mark.parametrize("name", ["data.npy", "data.tfrecord"])
def test_what_is_wrong_is_told(tmp_path, run, name):
    if name.endswith("npy"):
        np.save(str(tmp_path / name), PICTURES[:, :8])
    else:
        write_records(str(tmp_path / name), [(b"\x89PNG no more", 1)] * 4)
    with pytest.raises(BadInputError, match=name) as caught:
        run(data_location=name)
    assert caught.value.exit_code == 3
