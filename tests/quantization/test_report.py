"""The report: what it says, that foreign text stays text, and that nothing is fetched."""

from __future__ import annotations

import html.parser
import json

import pytest

from intel_quantization.report import render, write_report

REPORT = {
    "verdict": None,
    "blame": None,
    "tuning": None,
    "alarms": [],
    "schema": 1,
    "created": "2026-01-02 03:04:05 UTC",
    "graphs": {"fp32": "net.pb", "int8": "net_int8.pb"},
    "size": {"fp32": 100_000_000, "int8": 26_000_000},
    "inputs": [{"name": "input:0", "dtype": "float32", "shape": ["?", 224, 224, 3]}],
    "outputs": [{"name": "softmax:0", "dtype": "float32", "shape": None}],
    "ops": [
        {"op": "Conv2D", "total": 53, "int8": 52, "fp32": 1},
        {"op": "MatMul", "total": 1, "int8": 1, "fp32": 0},
    ],
    "reasons": [{"node": "conv1/Conv2D", "op": "Conv2D", "reason": "its input is <signed>"}],
    "others": [{"op": "Softmax", "reason": "Softmax has no INT8 form", "count": 2, "nodes": ["a", "b"]}],
    "accuracy": {
        "images": 500,
        "unit": "images",
        "labelled": True,
        "top1_fp32": 82.4,
        "top1_int8": 81.6,
        "agreement": 95.25,
        "sqnr_db": 17.25,
        "drop": {"points": 0.8, "low": -0.3, "high": 1.9},
        "measures": [],
        "outputs": [
            {
                "outputs": ["softmax:0"],
                "kind": "scores",
                "samples": 500,
                "verdict": "fine",
                "text": "same answer 95.25 %, SQNR 17.2 dB",
                "figures": {"agreement": 95.25},
            }
        ],
    },
    "not_measured": "",
    "latency": {"batch": 1, "fp32_ms": 40.0, "int8_ms": 12.5, "speedup": 3.2, "runs": 100},
    "calibration": {
        "samples": 100,
        "unit": "images",
        "function": None,
        "algorithm": "MSE",
        "preprocess": "vgg",
        "preprocess_chosen": True,
        "batch_size": 8,
        "seed": 0,
    },
    "options": {"per_channel": True, "excluded_ops": (), "excluded_nodes": ("a", "b"), "samples": None},
    "provenance": {
        "version": "2.0.0",
        "tensorflow": "2.14.0",
        "python": "3.11.7",
        "numpy": "1.26.4",
        "cpu": ["avx2", "avx512_vnni"],
        "onednn": True,
        "threads": 1,
        "platform": "Linux",
        "made_for": ["1.15.2", "2.14.0"],
        "sha256": {"fp32": "ab" * 32, "int8": "cd" * 32},
    },
}


class Reader(html.parser.HTMLParser):
    """Collects the text of a page, its tables' rows, and whatever would load something."""

    def __init__(self, page):
        super().__init__()
        self.text, self.rows, self.loads, self.tags = "", [], [], set()
        self._style = self._cell = False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self._style = tag == "style"
        self._cell = tag in ("td", "th") or (self._cell and tag == "code")
        self.loads += [value for name, value in attributes if name in ("src", "href", "action")]
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        self._style = False
        self._cell = self._cell and tag == "code"

    def handle_data(self, data):
        if self._style:
            return
        self.text += data
        if self._cell and data.strip():
            self.rows[-1].append(data.strip())


def page(**changes):
    return Reader(render(dict(REPORT, **changes)))


def test_what_else_stays_is_told_by_kind():
    assert "2 × Softmax: Softmax has no INT8 form" in page().text
    assert "What else computes" not in page(others=[]).text


def test_it_says_what_was_measured():
    shown = page()
    assert "3.20×" in shown.text
    assert "81.6 %" in shown.text
    assert "-0.8 points against FP32" in shown.text
    assert "3.85×" in shown.text
    assert "53 of 54" in shown.text
    assert ["Conv2D", "53", "52", "1"] in shown.rows
    assert ["all", "54", "53", "1"] in shown.rows
    assert ["Top-1, FP32", "82.40 %"] in shown.rows
    assert "its input is <signed>" in shown.text
    assert "vgg (chosen automatically)" in shown.text
    assert ["--excluded_nodes", "a, b"] in shown.rows
    assert ["--per_channel", "true"] in shown.rows
    assert ["Checked against", "the op registries of TensorFlow 1.15.2, 2.14.0"] in shown.rows
    assert "ab" * 32 in shown.text


@pytest.mark.parametrize("field", ["node", "op", "reason"])
def test_foreign_text_stays_text(field):
    evil = "</code><script>alert(1)</script>\"'&"
    shown = page(reasons=[dict(REPORT["reasons"][0], **{field: evil})], graphs={"fp32": evil, "int8": evil})
    assert "script" not in shown.tags
    assert evil in shown.text


def test_nothing_is_loaded_from_elsewhere():
    shown = page()
    assert shown.loads == []
    assert "default-src 'none'" in render(REPORT)
    assert "url(" not in render(REPORT)


def test_a_calibration_command_is_told_and_what_it_leaves_unmeasured():
    shown = page(
        accuracy=None,
        latency=None,
        calibration={"samples": 104, "unit": "samples", "algorithm": "KL", "command": "python <infer>.py {}"},
    )
    assert ["Calibration", "104 samples, algorithm KL, fed by", "python <infer>.py {}"] in shown.rows
    assert "Not compared: there were no samples to compare on" in shown.text
    assert "Not measured" in shown.text
    assert "Speed" not in shown.text
    compared = page(calibration={"samples": 104, "unit": "samples", "algorithm": "KL", "command": "python infer.py {}"})
    assert "none of them used" in page().text
    assert "none of them used" not in compared.text  # nobody knows which ones the command read


def test_a_function_has_neither_batches_of_ours_nor_a_seed():
    calibration = dict(
        REPORT["calibration"], unit="samples", function="feed.py:batches", batch_size=None, seed=None, preprocess=None
    )
    shown = page(calibration=calibration, accuracy=dict(REPORT["accuracy"], unit="samples"))
    text = " ".join(shown.text.split())
    assert "Calibration100 samples, the first that the function feed.py:batches gave, algorithm MSE" in text.replace(
        "Calibration ", "Calibration"
    )
    assert "Samples, none of them used to calibrate" in text
    assert "none: fed as they are" in text
    assert "images" not in text
    assert "None" not in text


def test_rows_are_called_rows():
    shown = page(calibration=dict(REPORT["calibration"], unit="rows"), accuracy=dict(REPORT["accuracy"], unit="rows"))
    assert ["Calibration", "100 rows, batches of 8, seed 0, algorithm MSE"] in shown.rows
    assert ["Rows, none of them used to calibrate", "500"] in shown.rows
    assert "images" not in shown.text


def test_what_is_wrong_stands_first():
    alarm = {
        "severity": "alarm",
        "output": "ArgMax:0",
        "what": "INT8 gives <FP32's> class to only 12.0 % of pixels",
        "measured": 12.0,
        "threshold": 75.0,
        "unit": "%",
        "try": "--algo DIRECT",
    }
    shown = page(alarms=[alarm, dict(alarm, severity="notice", output="", what="a drop")])
    text = " ".join(shown.text.split())
    assert text.startswith(
        "net_int8.pb: quantization report Alarm: INT8 gives <FP32's> class to only 12.0 % of pixels output ArgMax:0 "
        "Try --algo DIRECT. Notice: a drop Try --algo DIRECT. net_int8.pb"
    )
    assert "Alarm" not in page().text


def test_outputs_are_told_as_what_they_are():
    assert ["softmax:0", "class scores", "same answer 95.25 %, SQNR 17.2 dB", "fine"] in page().rows
    assert ["Lost, with its 95 % interval", "+0.80 points (-0.30 to +1.90)"] in page().rows


def test_what_is_no_class_has_its_own_headline():
    boxes = {
        "outputs": ["detection_boxes:0", "detection_scores:0"],
        "kind": "detections",
        "samples": 64,
        "verdict": "doubtful",
        "text": "71.0 % of FP32's 300 boxes found again",
        "figures": {"found_again": 71.0},
    }
    accuracy = dict(REPORT["accuracy"], labelled=False, top1_fp32=None, top1_int8=None, agreement=None, drop=None)
    shown = page(accuracy=dict(accuracy, outputs=[boxes]))
    assert "Boxes found again71.0 %" in shown.text
    assert ["detection_boxes:0", "detection_scores:0", "boxes", boxes["text"], "doubtful"] in [
        [cell for cell in row if cell != ","] for row in shown.rows
    ]
    assert "dB" not in shown.text  # of boxes sorted by their scores it says nothing


def test_without_labels_it_says_how_to_get_them():
    shown = page(accuracy=dict(REPORT["accuracy"], labelled=False, top1_fp32=None, top1_int8=None, drop=None))
    assert "Same answer as FP32" in shown.text
    assert "class folders, or --labels" in shown.text


def test_a_detector_and_no_images_at_all():
    nothing = dict(
        REPORT["accuracy"], labelled=False, top1_fp32=None, top1_int8=None, agreement=None, drop=None, outputs=[]
    )
    assert "17.2 dB" in page(accuracy=nothing).text
    assert "Top-1" not in page(accuracy=nothing).text
    assert "dB" not in page(accuracy=dict(nothing, sqnr_db=None)).text
    assert "Not compared" in page(accuracy=None).text


def test_kernels_that_do_not_run_here():
    shown = page(accuracy=None, latency=None, not_measured="a tiny convolution was ended by SIGABRT")
    assert "do not run on this CPU: a tiny convolution was ended by SIGABRT." in shown.text
    assert "Not compared" not in shown.text
    assert "Speed, batch" not in shown.text
    assert "3.85×" in shown.text


def test_no_reasons_and_no_cpu_features():
    shown = page(reasons=[], provenance=dict(REPORT["provenance"], cpu=[]))
    assert "Nothing that could be INT8 was left in FP32" in shown.text
    assert "no AVX" in shown.text


def test_many_reasons_are_folded_away():
    many = [{"node": f"n{number}", "op": "Conv2D", "reason": "why"} for number in range(30)]
    assert "<details open" not in render(dict(REPORT, reasons=many))
    assert "<details open" in render(REPORT)


def test_both_files_are_written(tmp_path):
    write_report(REPORT, str(tmp_path / "r.html"), str(tmp_path / "r.json"))
    assert json.loads((tmp_path / "r.json").read_text())["latency"] == REPORT["latency"]
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == render(REPORT)
