"""`make browser`: a Chromium is one that starts; where there is none, that is an error with what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import NAMES, Browser, find_browser

ROOT = Path(__file__).resolve().parents[2]
SNAP = "#!/bin/sh\necho 'requires the chromium snap to be installed.' >&2\nexit 1\n"
REAL = "#!/bin/sh\necho Chromium 150.0\n"


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Only what a test puts into its folder is on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)


def test_a_stub_that_asks_for_a_snap_is_no_browser(tmp_path, monkeypatch):
    program(tmp_path, NAMES[0], SNAP)
    assert find_browser() is None
    real = program(tmp_path, "google-chrome-stable", REAL)
    assert find_browser() == str(real)
    monkeypatch.setenv("CHROMIUM", "/none")
    with pytest.raises(RuntimeError, match="CHROMIUM=/none does not start"):
        Browser()


def test_the_program_says_which_or_fails_with_what_to_do(tmp_path):
    words = [sys.executable, "-m", "tests.browser"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no Chromium here that starts" in done.stderr
    assert "Ubuntu has it as a snap only" in done.stderr
    real = program(tmp_path, NAMES[0], REAL)
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(real), "")


def test_make_browser_fails_where_apt_has_none(tmp_path, monkeypatch):
    make, bash = shutil.which("make", path=os.defpath), shutil.which("bash", path=os.defpath)
    assert make is not None
    assert bash is not None
    asked = tmp_path / "asked"
    program(tmp_path, "apt-get", f"#!/bin/sh\necho $1 >> {asked}\necho E: no installation candidate >&2\nexit 100\n")
    program(tmp_path, "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    done = subprocess.run(
        [make, f"SHELL={bash}", "browser"], cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode
    assert asked.read_text() == "update\n"
    assert "E: no installation candidate" in done.stderr
    assert "make browser: no Chromium here that starts" in done.stderr
    assert "None" not in done.stdout
