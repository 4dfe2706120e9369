"""What the user is told: order, remedies, and what labels say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intel_quantization.comparison.alarms import Settings, alarms_of
from intel_quantization.comparison.findings import ALARM, FP32, INT8, LABELS, NOTICE, Concern, Findings
from intel_quantization.comparison.labelled import drop_of, judge_drop, judge_labels

SETTINGS = Settings("MSE", ("DIRECT", "MA", "MSE"), 100, True, True, "tf", True)


def findings(*concerns):
    return Findings(("a:0", "b:0"), "scores", 10, "text", {}, concerns)


def remedy(cause, **changes):
    (alarm,) = alarms_of([findings(Concern(ALARM, cause, "what", 1.0, 2.0))], (), replace(SETTINGS, **changes))
    return alarm["try"]


def test_the_worst_comes_first():
    bad, doubtful = Concern(ALARM, INT8, "bad", 1.0, 2.0), Concern(NOTICE, INT8, "doubtful", 3.0, 4.0, "dB")
    wrong = Concern(ALARM, FP32, "wrong", 5.0, 6.0)
    alarms = alarms_of([findings(doubtful, bad)], [wrong], SETTINGS)
    assert [alarm["what"] for alarm in alarms] == ["wrong", "bad", "doubtful"]
    assert [alarm["output"] for alarm in alarms] == ["", "a:0, b:0", "a:0, b:0"]
    assert (alarms[2]["severity"], alarms[2]["measured"], alarms[2]["threshold"], alarms[2]["unit"]) == (
        "notice",
        3.0,
        4.0,
        "dB",
    )


def test_what_two_outputs_say_is_told_once():
    concern = Concern(ALARM, INT8, "bad", 1.0, 2.0)
    (alarm,) = alarms_of([findings(concern), replace(findings(concern), outputs=("c:0",))], (), SETTINGS)
    assert alarm["output"] == "a:0, b:0, c:0"


def test_only_what_was_not_tried_is_named():
    assert remedy(INT8).startswith("--algo DIRECT, --equalize false, more --samples than 100; or keep")
    assert "--preprocess tf is right" in remedy(INT8)
    assert "--per_channel true" in remedy(INT8, per_channel=False)
    assert "--equalize" not in remedy(INT8, equalize=False)
    assert "--algo AUTO" in remedy(INT8, algorithms=("DIRECT", "MSE", "AUTO"))
    assert "--algo MA" in remedy(INT8, algorithm="DIRECT")
    assert "--preprocess" not in remedy(INT8, preprocess=None)


def test_a_wrong_preprocessing_or_labels():
    assert remedy(FP32).startswith("another --preprocess than tf, chosen here")
    assert "than tf, as given" in remedy(FP32, preprocess_chosen=False)
    assert "feed the values that the FP32 graph was trained on" in remedy(FP32, preprocess=None)
    assert remedy(LABELS).startswith("check how --labels or the class folders number the classes; then another")


def test_a_remedy_of_its_own_is_taken():
    (alarm,) = alarms_of((), [Concern(ALARM, FP32, "what", 1.0, 2.0, remedy="--preprocess vgg")], SETTINGS)
    assert alarm["try"] == "--preprocess vgg"


def paired(both, only_fp32, only_int8, neither=0):
    pairs = [(1, 1)] * both + [(1, 0)] * only_fp32 + [(0, 1)] * only_int8 + [(0, 0)] * neither
    return np.array(pairs, bool).T


@pytest.mark.parametrize(
    ("right", "severity", "word"),
    [
        (paired(300, 3, 1, 96), None, ""),  # 0.5 points
        (paired(300, 8, 2, 90), NOTICE, "may be chance"),  # 1.5 points
        (paired(200, 12, 1, 37), NOTICE, "4.4 points"),
        (paired(300, 30, 8, 62), ALARM, "5.5 points of top-1 on 400 samples (95 % interval +2.6 to"),
        (paired(14, 1, 0), NOTICE, "may be chance"),  # one of 15
        (paired(0, 20, 0), ALARM, "100.0 points"),
        (paired(0, 0, 20), None, ""),
    ],
)
def test_a_drop_of_top1(right, severity, word):
    concerns = judge_drop(drop_of(right), right.shape[1])
    assert [concern.severity for concern in concerns] == ([severity] if severity else [])
    assert word in "".join(concern.what for concern in concerns)


def test_labels_that_the_fp32_graph_does_not_know():
    labels = np.arange(40) % 10
    assert judge_labels(labels, np.arange(40) % 2 == 0, 10) == ()
    (chance,) = judge_labels(labels, labels == 3, 10)
    assert (chance.severity, chance.cause) == (ALARM, LABELS)
    (poor,) = judge_labels(np.arange(100), np.arange(100) < 5, 1000)
    assert "right for only 5 of 100" in poor.what
    sides = np.array([0] * 30 + [1] * 24)
    assert judge_labels(sides, sides == 1, 2)  # as a coin
    assert judge_labels(sides, np.arange(54) < 45, 2) == ()
    assert judge_labels(labels[:10], labels[:10] == 3, 10) == ()  # too few to tell
    assert judge_labels(np.zeros(50, int), np.arange(50) < 30, 10) == ()  # one class only: nothing to guess
