"""The words of a calibration command, and its processes: nothing of them is left, and their output is bounded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from intel_quantization.calibration.by_command.command import Command, command_words
from intel_quantization.errors import BadInputError

PATIENCE = 60
"""Seconds after which something counts as hung; no test depends on how long it takes."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python infer.py --in-graph {}", ["python", "infer.py", "--in-graph", "{}"]),
        ("python infer.py --in-graph={} -n 3", ["python", "infer.py", "--in-graph={}", "-n", "3"]),
        ("python 'my script.py' '{}'", ["python", "my script.py", "{}"]),
        ("sh -c 'python infer.py {} > /dev/null'", ["sh", "-c", "python infer.py {} > /dev/null"]),
        # the graph was left in
        ("python a.py --input_graph=fp32.pb --n=1", ["python", "a.py", "--input_graph={}", "--n=1"]),
        ("python a.py --input-graph fp32.pb --n 1", ["python", "a.py", "--input-graph", "{}", "--n", "1"]),
        ("python a.py --in-graph=fp32.pb", ["python", "a.py", "--in-graph={}"]),
        ("python a.py input_graph=fp32.pb n=1", ["python", "a.py", "input_graph={}", "n=1"]),
        ("python a.py --input_graph --n=1", ["python", "a.py", "--input_graph", "{}", "--n=1"]),
        ("python a.py --input_graph=", ["python", "a.py", "--input_graph={}"]),
        # it was removed
        ("python a.py --n=1", ["python", "a.py", "--n=1", "--input_graph={}"]),
        ("python a.py in_graph", ["python", "a.py", "in_graph", "--input_graph={}"]),
        # no shell has a look at it
        ("python a.py {} ; rm $HOME `x` *", ["python", "a.py", "{}", ";", "rm", "$HOME", "`x`", "*"]),
    ],
)
def test_words(text, expected):
    assert list(command_words(text)) == expected


@pytest.mark.parametrize(("text", "why"), [("python 'a.py", "quotes"), ("  ", "command"), ("", "command")])
def test_no_command_line(text, why):
    with pytest.raises(BadInputError) as caught:
        command_words(text)
    assert why in caught.value.remedy


def run(tmp_path, code, *arguments, **options):
    """Run Python code as a command to its end: (status, lines of output, the last lines)."""
    lines = []
    with Command([sys.executable, "-c", code, *arguments], str(tmp_path), lines.append, **options) as command:
        wait_for(lambda: command.poll() is not None)
    return command.poll(), lines, command.last_lines()


def wait_for(condition):
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def alive(pid):
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_output_and_status(tmp_path):
    status, lines, last = run(tmp_path, "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)")
    assert status == 3
    assert sorted(lines) == ["one", "two"]
    assert set(last.split(" | ")) == {"one", "two"}


def test_a_signal_is_told(tmp_path):
    status, _, last = run(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert (status, last) == (128 + 9, "")


def test_variables_arguments_and_no_stdin(tmp_path):
    code = "import os, sys; print(sys.stdin.read() == '', os.environ['FOR_IT'], sys.argv[1:])"
    status, lines, _ = run(tmp_path, code, "a b", "$HOME", variables={"FOR_IT": "yes"})
    assert (status, lines) == (0, ["True yes ['a b', '$HOME']"])


def test_garbage_and_lines_without_end_are_cut(tmp_path):
    code = """
import os
os.write(1, b"\\xff\\xfe\\x00 caf\\xc3\\xa9 \\x1b[31mred\\x1b[0m\\n")
for _ in range(64):
    os.write(1, b"x" * (1 << 20))
os.write(1, b"\\n10 %\\r20 %\\r100 %\\r\\nlast, without an end")
"""
    status, lines, last = run(tmp_path, code)
    assert status == 0
    assert lines[0] == "�� café red"
    assert len(lines[1]) < 1100
    assert lines[1].endswith(" [cut]")
    assert lines[2:] == ["100 %", "last, without an end"]
    assert len(last) <= 800
    assert last.endswith("last, without an end")


@pytest.mark.parametrize("word", ["./no/such/program", "no-such-program", "/etc/passwd"])
def test_no_such_program(tmp_path, word):
    with pytest.raises(BadInputError, match=word):
        Command([word], str(tmp_path))


def test_python_is_this_one_where_there_is_no_other(tmp_path):
    lines = []
    code = "import sys; print(sys.executable)"
    with Command(["python", "-c", code], str(tmp_path), lines.append, {"PATH": str(tmp_path)}) as command:
        wait_for(lambda: command.poll() is not None)
    assert lines == [sys.executable]


FAMILY = """
import os, signal, subprocess, sys, time
if sys.argv[1:] == ["stubborn"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.getpgrp() != os.getpid():
        os.setsid()
    print(os.getpid(), flush=True)
    time.sleep(1000)
code = open("/proc/self/cmdline").read().split("\\0")[2]
subprocess.Popen([sys.executable, "-c", code, "stubborn"], env={})
print(os.getpid(), flush=True)
time.sleep(0 if sys.argv[1:] == ["short"] else 1000)
"""


def test_all_its_processes_are_ended(tmp_path):
    lines = []
    with Command([sys.executable, "-c", FAMILY], str(tmp_path), lines.append) as command:
        wait_for(lambda: len(lines) == 2)
        assert command.poll() is None
    assert [alive(line) for line in lines] == [False, False]
    assert command.poll() == 128 + signal.SIGTERM


def test_what_it_leaves_running_is_ended(tmp_path):
    status, lines, _ = run(tmp_path, FAMILY, "short")
    assert status == 0
    assert not any(alive(line) for line in lines)


def test_one_that_ignores_the_request_to_end_is_killed(tmp_path):
    lines = []
    with Command([sys.executable, "-c", FAMILY, "stubborn"], str(tmp_path), lines.append) as command:
        wait_for(lambda: lines)
    assert command.poll() == 128 + signal.SIGKILL
    assert not alive(lines[0])


def test_even_without_its_guard_it_ends(tmp_path):
    lines = []
    with Command([sys.executable, "-c", FAMILY, "stubborn"], str(tmp_path), lines.append) as command:
        wait_for(lambda: lines)
        os.kill(command._process.pid, signal.SIGKILL)
        wait_for(lambda: command.poll() is not None)
        wait_for(lambda: not alive(lines[0]))
    assert command.poll() == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_it_when_we_are_killed(tmp_path, number):
    place = tmp_path / "private"
    (place / "records").mkdir(parents=True)
    code = f"""
import sys, time
from intel_quantization.calibration.by_command.command import Command
Command([sys.executable, "-c", {FAMILY!r}], {str(place)!r}, lambda line: print(line, flush=True))
time.sleep(1000)
"""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) as us:
        pids = [us.stdout.readline(), us.stdout.readline()]
        assert all(alive(int(pid)) for pid in pids)
        us.send_signal(number)
        us.wait(PATIENCE)
        wait_for(lambda: not place.exists() and not any(alive(int(pid)) for pid in pids))
