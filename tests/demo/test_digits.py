"""The demo: its data, its verdict, and the whole of it on both runtimes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image


def test_held_out_digits_are_pictures_in_class_folders(digits, tmp_path):
    import data

    pictures, training = data.write(tmp_path)
    held_out = list(pictures.rglob("*.png"))
    counts = Counter(path.parent.name for path in held_out)
    assert len(held_out) == data.HELD_OUT
    assert set(counts) == {str(digit) for digit in range(10)}
    assert min(counts.values()) > 50
    with Image.open(held_out[0]) as picture:
        assert (picture.size, picture.mode) == ((32, 32), "L")
    with np.load(training / "training.npz") as archive:
        images, labels = archive["images"], archive["labels"]
    assert images.shape == (1797 - data.HELD_OUT, 32, 32, 1)
    assert images.dtype == np.uint8
    assert len(labels) == len(images)
    learnt = {image.tobytes() for image in images}
    assert sum(np.asarray(Image.open(path)).tobytes() in learnt for path in held_out) == 0


def test_writing_again_leaves_nothing_of_before(digits, tmp_path):
    import data

    stray = tmp_path / "digits" / "3" / "stray.png"
    stray.parent.mkdir(parents=True)
    stray.touch()
    data.write(tmp_path)
    assert not stray.exists()


def report(fp32, int8):
    return {
        "accuracy": {"images": 500, "top1_fp32": fp32, "top1_int8": int8},
        "latency": {"fp32_ms": 3.0, "int8_ms": 1.5, "speedup": 2.0},
        "size": {"fp32": 750_000, "int8": 200_000},
    }


@pytest.mark.parametrize(("int8", "good"), [(99.4, True), (99.0, True), (98.5, True), (98.4, False)])
def test_half_a_point_may_be_lost_and_no_more(digits, int8, good):
    import demo

    verdict, line = demo.verdict(report(99.0, int8))
    assert verdict is good
    assert ("error" in line) is not good
    assert "top-1 99.0 % in FP32" in line
    assert "750 -> 200 kB" in line


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["local", pytest.param("docker", marks=pytest.mark.engine)])
def test_the_whole_demo(digits, tmp_path, runtime):
    done = subprocess.run(
        [sys.executable, str(digits / "demo.py"), "--runtime", runtime, "--folder", str(tmp_path / "demo")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"$ launch_quantization --in_graph {tmp_path}/demo/digits.pb" in done.stdout
    found = json.loads((tmp_path / "demo" / "digits_int8.report.json").read_text())
    assert found["accuracy"]["labelled"]
    assert found["accuracy"]["top1_fp32"] > 95
    counts = {row["op"]: row for row in found["ops"]}
    for op in ("Conv2D", "DepthwiseConv2dNative"):
        assert counts[op]["int8"] == counts[op]["total"] > 0
    assert "Op " in done.stdout
    assert "held-out digits: top-1" in done.stdout.splitlines()[-1]
