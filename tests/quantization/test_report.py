"""The report: what it says, that foreign text stays text, and that nothing is fetched."""

from __future__ import annotations

import html.parser
import json

import pytest

from intel_quantization.report import render, write_report
from intel_quantization.report.chart import error_chart
from intel_quantization.report.headline import headline
from intel_quantization.report.markdown import render_markdown

TUNING = {
    "text": "--tune: 1 layers back in FP32: top-1 lost 3.00 -> 0.80 points",
    "goal": 1.0,
    "metric": "top-1",
    "before": {"points": 3.0, "low": 1.0, "high": 5.0, "ms": 12.5, "failed": ""},
    "met": True,
    "excluded_nodes": ["conv1/Conv2D"],
    "ranges": [],
    "evaluations": [
        {
            "excluded_nodes": ["conv1/Conv2D"],
            "free_moves": True,
            "points": 0.8,
            "low": -0.3,
            "high": 1.9,
            "ms": 13.25,
            "failed": "",
        },
        {"excluded_nodes": [], "free_moves": False, "points": 0, "low": 0, "high": 0, "ms": 0, "failed": "<died>"},
    ],
}

BLAME = {
    "samples": 16,
    "layers": [
        {
            "node": f"conv<{number}>",
            "local_db": 40.0 - number,
            "accumulated_db": 38.0 - 2 * number,
            "cause": "weights",
            "detail": "most of its error comes from rounding its weights to 8 bits",
            "share": 0.25,
        }
        for number in range(4)
    ],
    "suspects": [],
    "opportunities": [
        {
            "nodes": ["conv<1>", "conv<2>"],
            "op": "Conv2D",
            "cause": "clipped",
            "detail": "3 % of the values of relu|1 lie outside of its range",
            "try": "--algo DIRECT",
            "excluded_nodes": "conv<1>,conv<2>",
            "share": 0.5,
            "points": 0.4,
            "local_db": 12.0,
            "accumulated_db": 11.0,
            "fp32_ms": 2.0,
            "int8_ms": 1.0,
            "given_back_ms": 1.125,
        }
    ],
}

REPORT = {
    "headline": "INT8 loses 0.80 points of top-1; 3.20 times as fast.",
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
    write_report(REPORT, str(tmp_path / "r.html"), str(tmp_path / "r.json"), str(tmp_path / "r.md"))
    assert (tmp_path / "r.md").read_text(encoding="utf-8") == render_markdown(REPORT)
    assert json.loads((tmp_path / "r.json").read_text())["latency"] == REPORT["latency"]
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == render(REPORT)


def test_the_verdict_is_the_first_thing_said():
    verdict = {"word": "broken", "max_drop": 0.5, "text": "x", "metric": "top-1", "needed": None}
    text = " ".join(page(verdict=verdict, headline="--max_drop 0.5 is broken.").text.split())
    assert text.startswith("net_int8.pb: quantization report --max_drop 0.5 is broken. net_int8.pb")
    without = " ".join(page().text.split())
    assert without.startswith("net_int8.pb: quantization report net_int8.pb INT8 loses 0.80 points of top-1;")


def test_what_to_do_about_layers_that_lose():
    shown = page(blame=BLAME)
    (row,) = [row for row in shown.rows if row and row[-1] == "1.125"]
    assert row[-2] == "0.40"
    assert "--excluded_nodes conv<1>,conv<2>" in shown.text
    assert "--algo DIRECT" in shown.text
    unknown = dict(BLAME["opportunities"][0], points=None, given_back_ms=None)
    other = page(blame=dict(BLAME, opportunities=[unknown]))
    assert any("50.0 %" in row for row in other.rows)
    assert "lose" not in page(blame=None, headline="x", tuning=None).text.split("Operations")[0]
    nothing = page(blame=dict(BLAME, opportunities=[], layers=[]))
    assert "No layer could be looked at" in nothing.text


def test_each_evaluation_of_a_tuning_is_a_row():
    shown = page(tuning=TUNING)
    assert ["as it was", "0", "3.00", "12.50"] in shown.rows
    assert ["1, other ranges", "1", "0.80", "13.25"] in shown.rows
    assert ["2", "0", "<died>"] in shown.rows
    assert "--excluded_nodes conv1/Conv2D" in shown.text
    assert "Tuning" not in page(tuning=None).text


def test_the_chart_is_within_its_frame():
    chart = error_chart(BLAME["layers"])
    assert len(chart["dots"]["local"]) == 4
    for dot in chart["dots"]["local"] + chart["dots"]["accumulated"]:
        assert 0 <= dot["x"] <= chart["width"]
        assert 0 <= dot["y"] <= chart["height"]
    heights = [dot["y"] for dot in chart["dots"]["accumulated"]]
    assert heights == sorted(heights)  # the less signal, the lower
    assert error_chart(BLAME["layers"][:1])["lines"]["local"]


def test_markdown_for_a_pull_request():
    text = render_markdown(dict(REPORT, blame=BLAME, tuning=TUNING))
    assert text.splitlines()[2] == "**INT8 loses 0.80 points of top-1; 3.20 times as fast.**"
    assert "| Conv2D | 53 | 52 | 1 |" in text
    assert "conv\\<1\\>, conv\\<2\\>" in text
    assert "`--excluded_nodes conv1/Conv2D`" in text
    assert "top-1 lost 3.00" in text
    hostile = dict(REPORT, graphs={"fp32": "a", "int8": "[x](javascript:1) | <img> \n# y"}, tuning=None, blame=None)
    told = render_markdown(hostile)
    assert "<img>" not in told.replace("\\<", "")
    assert "[x](" not in told.replace("\\]", "")
    assert not any(line.startswith("# y") for line in told.splitlines())


def test_no_terminal_obeys_the_markdown():
    named = dict(REPORT, graphs={"fp32": "a", "int8": "\x1b]0;owned\x07\x9b2J\u202e.pb"}, tuning=None, blame=None)
    told = render_markdown(named)
    assert all(sign.isprintable() or sign == "\n" for sign in told)
    assert "x1b" in told


def test_markdown_has_the_measures():
    measure = {"metric": "top-1", "fp32": 82.4, "int8": 81.6, "points": 0.8, "low": -0.3, "high": 1.9, "samples": 500}
    text = render_markdown(dict(REPORT, accuracy=dict(REPORT["accuracy"], measures=[measure])))
    assert "| top-1 | 82.40 | 81.60 | +0.80 (-0.30 to +1.90) | 500 |" in text
    assert "points lost" not in render_markdown(dict(REPORT, accuracy=None))


@pytest.mark.parametrize(
    ("accuracy", "verdict", "begins"),
    [
        ({}, {"text": "--max_drop 1 is held: so"}, "--max_drop 1 is held: so; 2.00 times as fast (4.00 -> 2.00 ms"),
        ({}, None, "INT8 loses 0.50 points of top-1 (80.00 -> 79.50"),
        ({"measures": []}, None, "INT8 gives FP32's answer for 97.00 % of 500 images"),
        ({"measures": [], "agreement": None}, None, "INT8 against FP32 on 500 images: a, b: IoU 90 %"),
        ({"measures": [], "agreement": None, "outputs": []}, None, "nothing tells INT8 from FP32"),
        (None, None, "INT8 was not compared with FP32; 2.00 times"),
    ],
)
def test_the_headline(accuracy, verdict, begins):
    measure = {"metric": "top-1", "fp32": 80, "int8": 79.5, "points": 0.5, "low": -1, "high": 2, "samples": 500}
    whole = {
        "images": 500,
        "unit": "images",
        "measures": [measure],
        "agreement": 97.0,
        "outputs": [{"outputs": ["a", "b"], "text": "IoU 90 %"}],
    }
    found = None if accuracy is None else {**whole, **accuracy}
    latency = {"batch": 1, "fp32_ms": 4.0, "int8_ms": 2.0, "speedup": 2.0, "runs": 10}
    assert headline(found, latency, verdict).startswith(begins)
    assert headline(found, None, verdict).endswith(".")
    slow = headline(found, dict(latency, int8_ms=8.0, speedup=0.5), verdict)
    assert "0.50 times as fast, which is slower" in slow
