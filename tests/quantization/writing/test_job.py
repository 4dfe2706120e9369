"""A job whose result is a SavedModel: the folder, what vouches for it, what is left when it ends early."""

from __future__ import annotations

import hashlib
import json
import os
import signal

import pytest

from intel_quantization.ops.snapshots import order
from intel_quantization.reading.saved_model import read_meta_graph
from tests.quantization.test_main import by_name, job, make_workspace, run, start

tf = pytest.importorskip("tensorflow")
PARTS = {"saved_model.pb"}
if order(tf.__version__) >= order("2.2"):
    PARTS |= {"variables/variables.index", "variables/variables.data-00000-of-00001"}
SERVED = {"format": "saved_model", "out_graph": "output/served", "threads": 1, "evaluate": 8, "blame": False}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("workspace"))


def found_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_folder_and_what_vouches_for_it(workspace):
    output = workspace / "output"
    (output / "served").mkdir()
    (output / "served" / "saved_model.pb").write_bytes(b"an older one")
    (output / "served" / "keras_metadata.pb").write_bytes(b"of an older one")
    status, events, log = run(workspace, "--job", job(**SERVED))
    assert status == 0, log
    assert found_in(output / "served") == PARTS
    manifest = json.loads((output / "served.manifest.json").read_text())
    listed = {entry["name"]: entry for entry in manifest["files"]}
    assert set(listed) | {"served.manifest.json"} == found_in(output)
    for name, entry in listed.items():
        assert hashlib.sha256((output / name).read_bytes()).hexdigest() == entry["sha256"]
    report = json.loads((output / "served.report.json").read_text())
    assert report["provenance"]["sha256"]["int8"] == listed["served/saved_model.pb"]["sha256"]
    assert report["size"]["int8"] == sum(listed["served/" + name]["size"] for name in PARTS)
    assert (report["graphs"]["int8"], report["options"]["format"]) == ("served", "saved_model")
    assert set(by_name(events, "result")[0]["outputs"]) == found_in(output)
    assert list(read_meta_graph(str(output / "served")).signature_def["serving_default"].inputs) == ["images"]


def test_the_same_bytes_again(workspace):
    found = []
    for name in ("one", "two"):
        status, _events, log = run(workspace, "--job", job(**dict(SERVED, out_graph="output/" + name)))
        assert status == 0, log
        folder = workspace / "output" / name
        found.append({part: (folder / part).read_bytes() for part in found_in(folder)})
    assert found[0] == found[1]


@pytest.mark.parametrize("stage", ["read", "measure"])
def test_a_signal_leaves_nothing(workspace, stage):
    before = sorted(workspace.rglob("*"))
    process = start(workspace, "--job", job(**dict(SERVED, out_graph="output/never")))
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "stage" and event["name"] == stage:
            break
    else:
        pytest.fail(process.stderr.read().decode())
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert sorted(workspace.rglob("*")) == before


def test_a_folder_that_cannot_be_written_is_told(workspace):
    status, events, _log = run(workspace, "--job", job(**dict(SERVED, out_graph="output/gone/served")))
    assert status == 11
    assert "output/gone" in by_name(events, "error")[0]["message"]
    assert not os.path.exists(str(workspace / "output" / "gone"))
