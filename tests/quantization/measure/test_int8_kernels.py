"""Whether INT8 kernels run here: the child process works, fails, dies, or hangs."""

from __future__ import annotations

import sys

import pytest

from intel_quantization.measure import int8_kernels

ABORT = "import os, sys; sys.stderr.write(%r); sys.stderr.flush(); os.abort()"
XBYAK = "terminate called after throwing an instance of 'Xbyak::Error'\n  what():  bad err=45 in Xbyak\n\n"


def obstacle(code):
    return int8_kernels.obstacle([sys.executable, "-c", code])


@pytest.mark.tensorflow
def test_they_run_here_in_the_default_variant():
    import tensorflow as tf

    why = int8_kernels.obstacle()
    assert why == "" or int8_kernels.may_fail(tf.__version__), why


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (ABORT % XBYAK, "a tiny convolution was ended by SIGABRT (bad err=45 in Xbyak)"),
        (ABORT % "", "a tiny convolution was ended by SIGABRT"),
        ("import os; os.kill(os.getpid(), 4)", "a tiny convolution was ended by SIGILL"),
        ("raise ValueError('no such op')", "a tiny convolution failed with status 1 (ValueError: no such op)"),
        ("pass", "a tiny convolution failed with status 0"),
        ("print('INT8 works')", ""),
    ],
)
def test_what_is_said_of_the_end_of_the_child(code, words):
    assert obstacle(code) == words


def test_one_that_hangs(monkeypatch):
    monkeypatch.setattr(int8_kernels, "_SECONDS", 0.1)
    assert obstacle("import time; time.sleep(60)").startswith("a tiny convolution took more than")


@pytest.mark.parametrize(
    ("version", "may"),
    [("1.15.2", True), ("2.0.1", True), ("2.1.0", True), ("2.4.0", False), ("2.14.0", False), ("3.0.0-rc1", False)],
)
def test_which_versions_are_tried(version, may):
    assert int8_kernels.may_fail(version) is may
