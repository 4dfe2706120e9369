"""The event stream: one JSON object a line, whatever is said and whoever else writes to stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from intel_quantization.events import MAX_LINE, STAGES, EventStream, Stages


@pytest.fixture
def stream():
    """(EventStream, function that ends it and gives the events)."""
    reader, writer = os.pipe()
    lines = []

    def drain():
        with os.fdopen(reader, "rb") as source:
            lines.extend(source)

    thread = threading.Thread(target=drain)
    thread.start()

    def events():
        os.close(writer)
        thread.join()
        return lines

    return EventStream(writer), events


def test_events_are_strict_json(stream):
    events, finish = stream
    events.emit("result", value=np.float32(1.5), count=np.int64(3), bad=float("nan"), worse=[float("inf")], pair=(1, 2))
    (line,) = finish()
    event = json.loads(line, parse_constant=pytest.fail)
    assert event.pop("time") > 0
    assert event == {"event": "result", "value": 1.5, "count": 3, "bad": None, "worse": [None], "pair": [1, 2]}


def test_text_is_ascii_on_one_line(stream):
    events, finish = stream
    events.log("zwei\nZeilen \x1b[31m ü \udcff", "warning")
    (line,) = finish()
    assert line.isascii()
    assert json.loads(line)["message"] == "zwei\nZeilen \x1b[31m ü \udcff"


def test_long_lists_are_cut_and_the_rest_is_kept(stream):
    events, finish = stream
    events.emit("result", reasons=[{"node": "n" * 500}] * 400, ops=[1, 2, 3])
    (line,) = finish()
    event = json.loads(line)
    assert len(line) <= MAX_LINE
    assert event["ops"] == [1, 2, 3]
    assert 60 < len(event["reasons"]) < 400


def test_a_long_message_is_cut(stream):
    events, finish = stream
    events.log("x" * 10 * MAX_LINE)
    (line,) = finish()
    assert len(line) <= MAX_LINE
    assert json.loads(line)["message"].endswith("[cut]")


def test_threads_do_not_mix_lines(stream):
    events, finish = stream
    threads = [threading.Thread(target=lambda: [events.log("x" * 5000) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = finish()
    assert len(lines) == 80
    assert all(json.loads(line)["event"] == "log" for line in lines)


def test_nothing_else_reaches_stdout_once_it_is_claimed():
    code = (
        "import os, sys, subprocess\n"
        "from intel_quantization.events import EventStream\n"
        "print('before')\n"
        "events = EventStream.claim_stdout()\n"
        "print('python', flush=True)\n"
        "os.write(1, b'native\\n')\n"
        "subprocess.run(['echo', 'child'])\n"
        "events.log('hello')\n"
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    done = subprocess.run([sys.executable, "-c", code], stdout=-1, stderr=-1, check=True, env=environment)
    before, event = done.stdout.splitlines()
    assert before == b"before"
    assert json.loads(event)["message"] == "hello"
    assert done.stderr.split() == [b"python", b"native", b"child"]


def test_stages_are_announced_once_and_in_order(stream):
    events, finish = stream
    stages = Stages(events)
    for name in ("read", "read", "calibrate", "optimize", "measure"):
        stages.enter(name)
    seen = [json.loads(line) for line in finish()]
    assert [(event["name"], event["index"], event["total"]) for event in seen] == [
        ("read", 1, len(STAGES)),
        ("calibrate", 3, len(STAGES)),
        ("measure", 6, len(STAGES)),
    ]
