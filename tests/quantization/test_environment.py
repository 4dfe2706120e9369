"""The process of a job, ahead of TensorFlow and NumPy."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_BLAS = """
import os
from intel_quantization.environment import limit_threads
limit_threads(None)
import ctypes, glob, numpy
(path,) = glob.glob(os.path.dirname(numpy.__file__) + ".libs/*openblas*") or [None]
blas = ctypes.CDLL(path)
names = [prefix + "openblas_get_num_threads" + end for prefix in ("", "scipy_") for end in ("", "64_")]
print([getattr(blas, name)() for name in names if hasattr(blas, name)], os.environ.get("OPENBLAS_NUM_THREADS"))
"""


@pytest.mark.parametrize("before", [None, "3"])
def test_matrix_products_have_one_thread_and_what_is_started_has_the_users(before):
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    if before is not None:
        environment["OPENBLAS_NUM_THREADS"] = before
    done = subprocess.run([sys.executable, "-c", _BLAS], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"[1] {before}\n"


def test_tensorflow_has_those_that_were_asked_for(monkeypatch):
    from intel_quantization.environment import limit_threads

    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.setenv(name, "")
    limit_threads(3)
    assert (os.environ["OMP_NUM_THREADS"], os.environ["TF_NUM_INTRAOP_THREADS"]) == ("3", "3")
