"""What the job runs on: versions, and the CPU features that decide how fast INT8 is."""

from __future__ import annotations

import importlib
import os
import platform
from typing import Any

from intel_quantization.contract import cpu

_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


def cpu_features(cpuinfo: str = "/proc/cpuinfo") -> list[str]:
    """Those CPU flags that matter to INT8, in the order of their age; empty where they cannot be told."""
    try:
        with open(cpuinfo) as stream:
            return cpu.flags_of(stream.read())
    except OSError:
        return []


def limit_threads(threads: int | None) -> None:
    """Have TensorFlow, which is not imported yet, use this many threads within an op; None: as it likes.

    NumPy's matrix products, which are small here, get one: with more, they wait for each other wherever another process
    wants a core (22.9 s instead of 2.3 s of ResNet-50's conversion), and their sums depend on the number.
    """
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    before = os.environ.get(_BLAS_THREADS)
    os.environ[_BLAS_THREADS] = "1"
    importlib.import_module("numpy")  # OpenBLAS reads it now, and a user's command need not
    if before is None:
        del os.environ[_BLAS_THREADS]
    else:
        os.environ[_BLAS_THREADS] = before


def describe(threads: int | None) -> dict[str, Any]:
    """For the start event; imports TensorFlow."""
    import tensorflow as tf

    import intel_quantization

    return {
        "version": intel_quantization.__version__,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
        "cpu": cpu_features(),
        "onednn": _onednn(),
        "threads": threads or len(os.sched_getaffinity(0)),
    }


def _onednn() -> bool:
    """Whether this TensorFlow was built with oneDNN and uses it."""
    try:
        from tensorflow.python.util._pywrap_util_port import IsMklEnabled
    except ImportError:
        try:
            from tensorflow.python._pywrap_util_port import IsMklEnabled  # 2.1
        except ImportError:
            from tensorflow.python.pywrap_tensorflow import IsMklEnabled  # before
    return bool(IsMklEnabled())
