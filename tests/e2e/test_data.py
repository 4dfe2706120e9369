"""Other data than folders of images, from the command line to the files, on both runtimes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.support import Launcher, leftovers, png, write_array

FEED = """\
import numpy as np

def batches(path):
    rows = np.load(path)
    for start in range(0, len(rows), 4):
        yield {"input": rows[start : start + 4], "labels": np.arange(start, start + 4) % 4}

def broken():
    raise ValueError("no such thing")
"""


def test_a_function_reads_an_array(launch: Launcher, graph: Path, tmp_path: Path) -> None:
    output = tmp_path / "results"
    output.mkdir()
    (tmp_path / "my feed.py").write_text(FEED)
    array = write_array(tmp_path / "rows.npy", 24)

    done = launch(
        *("-g", graph, "-d", array, "--data_function", f"{tmp_path}/my feed.py:batches"),
        *("--samples", "8", "-o", output / "out.pb", "--json"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["unit"] for event in events if event["event"] == "progress"} == {"samples"}
    result = events[-2]
    calibration = result["calibration"]
    assert (calibration["samples"], calibration["unit"], calibration["function"]) == (
        8,
        "samples",
        "my feed.py:batches",
    )
    page = (output / "out.report.html").read_text("utf-8")
    assert "8 samples, the first that the function <code>my feed.py:batches</code> gave, algorithm AUTO" in page
    assert "data_function/" not in page
    assert (result["accuracy"]["images"], result["accuracy"]["labelled"]) == (16, True)
    assert leftovers(output) == []


def test_an_array_and_images_with_labels(launch: Launcher, graph: Path, tmp_path: Path) -> None:
    output = tmp_path / "results"
    output.mkdir()
    array = write_array(tmp_path / "rows.npy", 12)
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.png").write_bytes(png(number))
    labels = tmp_path / "labels.csv"
    labels.write_text("file,label\n" + "".join(f"{number}.png,{number % 4}\n" for number in range(12)))

    for data in (("-d", array), ("-d", folder, "--labels", labels, "--seed", "1")):
        done = launch("-g", graph, *data, "--samples", "4", "-o", output / "out.pb", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines()]
        result, unit = events[-2], "images" if "--labels" in data else "rows"
        assert (result["accuracy"]["images"], result["accuracy"]["labelled"]) == (8, "--labels" in data)
        assert {event["unit"] for event in events if event["event"] == "progress"} == {unit}
    assert leftovers(output) == []


def test_what_is_wrong_is_told_in_the_users_own_paths(launch: Launcher, graph: Path, tmp_path: Path) -> None:
    (tmp_path / "feed.py").write_text(FEED)
    done = launch("-g", graph, "--data_function", f"{tmp_path}/feed.py:broken", "-o", tmp_path / "out.pb")
    assert done.returncode == 3
    assert "error: feed.py:broken failed: ValueError: no such thing (line 9 of feed.py)" in done.stderr

    array = write_array(tmp_path / "rows.npy", 12)
    array.write_bytes(array.read_bytes()[:-8])
    done = launch("-g", graph, "-d", array, "-o", tmp_path / "out.pb")
    assert done.returncode == 3
    damage = "it says (12, 16, 16, 3) of float32, which takes 36864 bytes"
    assert f"error: {array} is no numpy file, or is damaged: {damage}" in done.stderr
    assert leftovers(tmp_path) == []
