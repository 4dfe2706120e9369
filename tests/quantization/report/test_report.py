"""The report: what it says, that foreign text stays text, and that nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from intel_quantization.report import render, write_report
from intel_quantization.report.chart import error_chart
from intel_quantization.report.headline import headline
from intel_quantization.report.markdown import render_markdown
from tests.quantization.report.reports import BLAME, GRAPH, REPORT, SAMPLE, TENSOR, TUNING, Reader


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
    assert ["Conv2D", "53", "52", "1", "1 × its input is <signed>"] in shown.rows
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
    assert shown.scripts == 2  # the data, and what draws
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


def test_what_nobody_wanted_measured():
    shown = page(accuracy=None, latency=None, options=dict(REPORT["options"], measure=False))
    assert shown.text.count("Not measured, as --measure false says") == 2
    assert "kernels" not in shown.text


def test_made_up_samples_are_told():
    shown = page(calibration=dict(REPORT["calibration"], made_up="noise <of> no meaning"))
    assert ["Made up"] in [row[:1] for row in shown.rows]
    assert "noise <of> no meaning" in shown.text


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


def test_why_ops_stay_stands_beside_them():
    assert ["Conv2D", "53", "52", "1", "1 × its input is <signed>"] in page().rows
    assert ["MatMul", "1", "1", "0"] in page().rows


def test_where_the_time_goes_and_what_limits_it():
    shown = page(blame=BLAME)
    assert ["Conv2D", "8.000", "4.000"] in shown.rows
    assert ["Softmax", "1.000", "0.500"] in shown.rows
    assert "18.0 times as fast" in shown.text
    assert "it is 2.00 times" in shown.text
    assert "Where the time goes" not in page(blame=dict(BLAME, time=None)).text
    free = dict(BLAME["time"], limit=None, left_ms=0.0)
    assert "What FP32 leaves" not in page(blame=dict(BLAME, time=free)).text


def test_each_range_has_a_picture():
    shown = page(tensors=[TENSOR, dict(TENSOR, tensor="none", counts=[], by_channel=True)])
    assert "seen 0 to 6; range 0 to 3" in shown.text
    assert "of the widest channel; no histogram" in shown.text
    assert "relu<1>" in shown.text
    assert "Ranges" not in page().text


def test_samples_that_differ_are_shown():
    shown = render(dict(REPORT, samples=[SAMPLE, dict(SAMPLE, fp32="", other=False)]), [b"jpeg", None])
    assert shown.count("<img") == 1
    assert 'src="data:image/jpeg;base64,anBlZw=="' in shown
    text = " ".join(Reader(shown).text.split())
    assert "<cat>.png FP32 3 (0.50), INT8 4 (0.40); label 3; noise 12 %" in text
    assert "--no_thumbnails" in text
    without = page(samples=[SAMPLE])
    assert "<cat>.png" in without.text
    assert "no_thumbnails" not in without.text


def test_the_command_that_makes_it_again():
    text = " ".join(page(graphs={"fp32": "my net.pb", "int8": "x.pb"}).text.split())
    assert (
        "The same again: launch_quantization --in_graph 'my net.pb' --data_location DATA --excluded_nodes a,b" in text
    )


def test_the_data_stand_in_the_page_and_cannot_leave_their_place():
    evil = "</script><!--<script>&\u2028"
    shown = render(dict(REPORT, graph=GRAPH, headline=evil))
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', shown, re.DOTALL)
    assert json.loads(text)["headline"] == evil
    assert json.loads(text)["graph"] == GRAPH
    assert Reader(shown).scripts == 2


def test_only_our_script_may_run():
    shown = render(REPORT)
    (digest,) = re.findall(r"script-src '(sha256-[^']+)'", shown)
    (script,) = re.findall(r"<script>(.*?)</script>", shown, re.DOTALL)
    assert digest == "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


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
