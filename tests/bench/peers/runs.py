"""Processes that run models, one for each row of the table, asked in turns."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_HERE = Path(__file__).parent
_SERVE = _HERE / "serve.py"
_ENVIRONMENT = {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


class FailedError(Exception):
    """A process failed; the message says why."""


@dataclass
class Row:
    """One line of the table.

    Attributes:
        name: who.
        error: why there are no figures; empty where there are.
        figures: seconds, convert_mb, size, score, low, high, ms_1, ms_32, serve_mb; what is missing was not to be had.
    """

    name: str
    error: str = ""
    figures: dict[str, float] = field(default_factory=dict)


class Served:
    """A model that runs in a process of its own; a context manager."""

    def __init__(self, python: str, model: Path, folder: Path, threads: int) -> None:
        self._log = (folder / f"{model.name}.log").open("w+")
        self._process = subprocess.Popen(
            [python, str(_SERVE), str(model), str(folder), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, **_ENVIRONMENT, "OMP_NUM_THREADS": str(threads)},
        )
        self._folder = folder
        self.peak_mb = 0.0
        self._answer()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def run(self, values: np.ndarray) -> list[np.ndarray]:
        """The outputs for an array.

        Raises:
            FailedError: it does not run.
        """
        given, found = self._folder / "in.npy", self._folder / "out.npz"
        np.save(given, values)
        self._ask(f"run\t{given}\t{found}")
        with np.load(found) as arrays:
            return [arrays[name] for name in arrays.files]

    def again(self) -> float:
        """Milliseconds of one more run on the same array."""
        return float(self._ask("again")["ms"])

    def _ask(self, line: str) -> dict[str, float]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise FailedError(self._why()) from None
        told = json.loads(self._answer())
        self.peak_mb = max(self.peak_mb, told["peak_mb"])
        return dict(told)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise FailedError(self._why())
        return line

    def _why(self) -> str:
        self._process.wait()
        self._log.seek(0)
        return last_words(self._log.read()) or f"it ended with status {self._process.returncode}"


def convert(python: str, peer: str, folder: Path, result: Path, seconds: float) -> dict[str, float]:
    """Convert a graph with a peer: seconds and peak_mb.

    Raises:
        FailedError: it does not go, or takes longer than ``seconds``.
    """
    words = [python, str(_HERE / "convert.py"), peer, str(folder), str(result)]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=seconds, env={**os.environ, **_ENVIRONMENT}
        )
    except subprocess.TimeoutExpired:
        raise FailedError(f"it took longer than {seconds:.0f} s") from None
    if done.returncode or not result.is_file():
        raise FailedError(last_words(done.stderr) or f"it ended with status {done.returncode}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def last_words(text: str) -> str:
    """The last line of an error that says something, at most 160 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line.split(":")[0] and not line.startswith("File")]
    return (errors or lines or [""])[-1][:160]


def in_turns(served: list[Served], runs: int, warm_up: int = 3) -> list[float]:
    """Median milliseconds of each on the array that it had last, one run of each in turn."""
    for _ in range(warm_up):
        for each in served:
            each.again()
    taken = [[each.again() for each in served] for _ in range(runs)]
    return [float(value) for value in np.median(np.array(taken), axis=0)]
