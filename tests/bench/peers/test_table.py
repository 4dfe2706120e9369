"""The table of peers: what a failure looks like, and that no text leaves its cell; who cannot be had says why."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import answers
from peers import environments
from peers.environments import PEERS, UnavailableError, ensure
from peers.results import Results
from peers.runs import FailedError, Row, Served, convert, in_turns, last_words
from peers.table import BEGIN, END, benchmarks, replaced_in_readme

MACHINE = {
    "date": "2026-01-02",
    "cpu": "A CPU",
    "flags": "avx2",
    "threads": "1",
    "python": "3.11",
    "revision": "abc",
    "load": "0.1 of 2",
}
ROWS = [
    Row("FP32", figures={"score": 80.0, "ms_1": 10.0, "ms_32": 200.0, "size": 4e6}),
    Row("ours", figures={"score": 79.5, "low": -0.5, "high": 1.5, "ms_1": 5.0, "seconds": 12.0, "size": 1e6}),
    Row("theirs", "ValueError: a | b <c>"),
    Row("half", "batch 32: no", {"score": 70.0, "ms_1": 4.0, "size": 1e6}),
]


def test_each_row_has_its_figures_or_its_error():
    lines = benchmarks(MACHINE, {"net": ("top-1", ROWS)}).splitlines()
    assert "| FP32 | 80.00 |  | 10.00 | 200.0 |  |  |  | 4.00 MB |" in lines
    assert "| ours | 79.50 | +0.50 (-0.50 to +1.50) | 5.00 |  | 12 s |  |  | 1.00 MB |" in lines
    assert "| theirs | **ValueError: a \\| b &lt;c>** |  |  |  |  |  |  |  |" in lines
    assert "| half (**batch 32: no**) | 70.00 | +10.00 | **4.00** |  |  |  |  | 1.00 MB |" in lines
    assert "The best score: ours; the quickest at batch 1: half." in lines


def test_the_readme_keeps_all_but_its_table():
    text = f"before\n{BEGIN}old\n{END}after\n"
    found = replaced_in_readme(text, MACHINE, {"net": ("top-1", ROWS)})
    assert found.startswith("before\n")
    assert found.endswith("after\n")
    assert "old" not in found
    assert "| net | 80.0, 10.0 ms | 79.5, 5.0 ms | failed | 70.0, 4.0 ms |" in found
    with pytest.raises(ValueError, match="no <!-- results"):
        replaced_in_readme("nothing", MACHINE, {})


def test_what_was_measured_is_kept_for_the_same_machine_revision_and_options(tmp_path):
    made_with = {**MACHINE, "images": None, "peers": ["theirs"]}
    Results(tmp_path / "results", made_with).put("a net, random", "top-1", ROWS)
    again = Results(tmp_path / "results", {**made_with, "date": "2027-01-01", "load": "9.0 of 2"})
    assert again.get("a net, random") == ("top-1", ROWS)
    assert again.get("another") is None
    for changed in ({"revision": "abd"}, {"images": 10}, {"peers": []}, {"threads": "2"}):
        assert Results(tmp_path / "results", {**made_with, **changed}).get("a net, random") is None


def test_scores_are_judged_by_their_error_about_the_mean():
    measure = answers.Scores(None, None)
    logits = np.array([[1.0, 2.0, 6.0], [0.0, 3.0, 0.0]])
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    reference = dict(enumerate(measure.reduce([logits], [0, 1])))
    measure.begin(reference)
    same = dict(enumerate(measure.reduce([softmax], [0, 1])))
    assert measure.score(same, [0, 1]) == pytest.approx(100)
    tenth = {row: 0.9 * value for row, value in reference.items()}
    assert measure.score(tenth, [0, 1]) == pytest.approx(90)
    assert measure.second(tenth, [0, 1]) == 100


def test_a_peer_that_cannot_be_had_says_why(tmp_path, monkeypatch):
    monkeypatch.setitem(PEERS, "none", environments.Peer("none", "2.3", (), ".pb"))
    with pytest.raises(UnavailableError, match=r"no Python 2\.3 here"):
        ensure("none", tmp_path)


def test_a_peer_that_fails_says_why(tmp_path):
    (tmp_path / "spec.json").write_text("{}")
    np.save(tmp_path / "calibration.npy", np.zeros(2))
    with pytest.raises(FailedError, match="KeyError: 'no_such_peer'"):
        convert(sys.executable, "no_such_peer", tmp_path, tmp_path / "out.pb", 60)
    with pytest.raises(FailedError, match="KeyError"):
        Served(sys.executable, tmp_path / "model.none", tmp_path, 1)


def test_the_last_words_are_those_of_the_error():
    text = "Traceback:\n  File 'x'\nValueError: it was this\nW0000 cleaning up\n"
    assert last_words(text) == "ValueError: it was this"
    assert last_words("only this\n\n") == "only this"
    assert last_words("") == ""


def test_all_take_turns():
    order = []

    class Model:
        def __init__(self, name, ms):
            self.name, self.ms = name, ms

        def again(self):
            order.append(self.name)
            return self.ms

    assert in_turns([Model("a", 1.0), Model("b", 2.0)], runs=3, warm_up=1) == [1.0, 2.0]
    assert "".join(order) == "ab" * 4
