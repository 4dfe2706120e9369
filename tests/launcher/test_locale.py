"""What the bytes of a name mean does not depend on the locale."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCALES = {
    "C": {"LC_ALL": "C"},
    "C, and Python told to believe it": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "UTF-8": {"LC_ALL": "C.UTF-8"},
}


def plan(name: bytes, folder: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A dry run on a graph of this name."""
    graph = os.path.join(os.fsencode(folder), name)
    with open(graph, "wb") as file:
        file.write(b"graph")
    command = [os.fsencode(sys.executable), os.fsencode(ROOT / "launcher" / "launch_quantization.py")]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    return subprocess.run(
        [*command, b"--runtime", b"local", b"-g", graph, b"--dry-run", b"--json"],
        env={**kept, "XDG_CACHE_HOME": os.fspath(folder / "cache"), **variables},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("variables", LOCALES.values(), ids=LOCALES.keys())
def test_a_name_is_utf8(tmp_path: Path, variables: dict[str, str]) -> None:
    done = plan("n\u00fct.pb".encode(), tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["job"]["in_graph"] == "pretrained_model/n\u00fct.pb"


@pytest.mark.parametrize("variables", LOCALES.values(), ids=LOCALES.keys())
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path, variables: dict[str, str]) -> None:
    done = plan(b"n\xfct.pb", tmp_path, **variables)
    assert done.returncode == 3
    assert b"is not UTF-8" in done.stderr
