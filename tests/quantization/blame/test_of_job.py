"""Blame in a job: in a process of its own, whose end is told and undoes nothing."""

from __future__ import annotations

import pytest

from intel_quantization import child
from intel_quantization.blame import of_job
from intel_quantization.blame.of_job import blame_of_job
from intel_quantization.data.feeds import Batch
from intel_quantization.data.images import Image
from tests.quantization.blame.broken_nets import again, batches, converted


class Events:
    """Keeps what is told."""

    def __init__(self):
        self.texts = []

    def log(self, message, level="info"):
        self.texts.append((level, message))


class Feed:
    """Two batches."""

    def batches(self):
        return [Batch(feed, (Image("x"),) * 4) for feed in batches(2)]


@pytest.fixture(scope="module")
def made():
    """(Conversion, Options)."""
    return again(converted())


def test_it_is_what_the_child_found(made):
    events = Events()
    found = blame_of_job(*made, Feed(), 1, events)
    assert found.samples == 8
    assert set(found.errors) == {"first", "second", "left", "right", "last"}
    assert all(each.fp32_ms > 0 for each in found.suspects)
    assert events.texts == []


@pytest.mark.parametrize(("status", "why"), [(-11, "ended by SIGSEGV"), (3, "ended with status 3")])
def test_a_child_that_dies_is_told(made, monkeypatch, status, why):
    monkeypatch.setattr(child.subprocess, "call", lambda *_words, **_more: status)
    events = Events()
    assert blame_of_job(*made, Feed(), 1, events) is None
    ((level, text),) = events.texts
    assert level == "warning"
    assert why in text


def test_what_the_child_cannot_do_is_told(made):
    class Wrong:
        def batches(self):
            return [Batch({"nothing:0": None}, (Image("x"),))]

    events = Events()
    assert blame_of_job(*made, Wrong(), 1, events) is None
    assert "which layers lose was not measured" in events.texts[0][1]


def test_graphs_that_are_too_large_for_one_are_left_alone(made, monkeypatch):
    monkeypatch.setattr(of_job, "_MOST_BYTES", 1000)
    events = Events()
    assert blame_of_job(*made, Feed(), 1, events) is None
    assert "too large" in events.texts[0][1]


def test_times_are_those_of_the_feed_that_is_given_for_them(made, monkeypatch):
    asked = []
    monkeypatch.setattr(of_job, "_asked", lambda request: asked.append(request) or "no")
    one = next(batches(1, 1))
    blame_of_job(*made, Feed(), 1, Events(), one)
    blame_of_job(*made, Feed(), 1, Events())
    assert [each.timed["input:0"].shape[0] for each in asked] == [1, 4]
    assert [len(each.batches) for each in asked] == [2, 2]
