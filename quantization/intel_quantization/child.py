"""Run a module of this package in a process of its own, which TensorFlow may end without ending this one."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys

import intel_quantization

_PR_SET_PDEATHSIG = 1


def run_module(name: str, *arguments: str) -> str:
    """Run ``python -m name arguments``; returns why it ended badly, empty where it did not.

    Its output goes where our log goes: the first stream is for events.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(intel_quantization.__file__)))
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    status = subprocess.call(
        [sys.executable, "-m", name, *arguments], stdout=2, env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths))
    )
    if status < 0:
        return f"it was ended by {signal.Signals(-status).name}"
    return f"it ended with status {status}" if status else ""


def end_with_parent() -> None:
    """To be called in the child: it is killed when the process that started it ends, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
