"""The steps of accuracy.py as child processes, and what of their results can be kept."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import real_data
from real_graphs import Case

_HERE = Path(__file__).resolve().parent
_PEER_SECONDS = 1200
_LAST = 300  # characters of an error


@dataclass(frozen=True)
class Contender:
    """Something that quantizes.

    Attributes:
        name: before, after or peer.
        title: what it is.
        source: the folder of its package; None for a peer.
        python: its Python where it is a peer.
        options: arguments of GraphConverter besides.
        keep: by what its results are known again; empty: they are not kept.
        draws: at most so many.
    """

    name: str
    title: str
    source: Path | None = None
    python: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    keep: str = ""
    draws: int | None = None


def revision(root: Path, name: str, folder: Path) -> Contender:
    """The package of a git revision, taken out into a folder."""
    commit = _git(root, "rev-parse", "--verify", f"{name}^{{commit}}").decode().strip()
    (folder / commit).mkdir()
    subprocess.run(
        ["tar", "-x", "-C", folder / commit], input=_git(root, "archive", commit, "quantization"), check=True
    )
    return Contender("before", f"before: {commit[:12]}", folder / commit / "quantization", keep=commit)


def working_tree(root: Path, options: dict[str, Any]) -> Contender:
    """The package as it lies there."""
    commit = _git(root, "describe", "--always", "--dirty").decode().strip()
    extra = "".join(f", {name}={value}" for name, value in options.items())
    return Contender("after", f"after: {commit}{extra}", root / "quantization", options=options)


def peer(python: str, draws: int) -> Contender:
    """neural-compressor."""
    code = "from importlib.metadata import version as v; print(v('neural-compressor-tf'), v('tensorflow'))"
    versions = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    title = "peer: neural-compressor-tf {} with TensorFlow {}".format(*versions)
    return Contender("peer", title, python=python, keep=" ".join(versions), draws=draws)


def _git(root: Path, *words: str) -> bytes:
    return subprocess.run(["git", "-C", root, *words], stdout=subprocess.PIPE, check=True).stdout


class Steps:
    """Runs steps.

    Args:
        cache: what is kept from run to run.
        folder: what is not.
    """

    def __init__(self, cache: Path, folder: Path) -> None:
        self.data = cache / "data"
        self._fp32, self._kept, self._folder = cache / "fp32", cache / "results", folder
        for path in (self._fp32, self._kept):
            path.mkdir(parents=True, exist_ok=True)

    def reference(self, case: Case) -> dict:
        """The FP32 graph's answers; see accuracy_worker.reference."""
        path = self._fp32 / f"{case.graph}-{_digest(case)}.pickle"
        if not path.exists():
            print(f"{case.graph}: FP32", file=sys.stderr, flush=True)
            job = {"case": case, "data": self.data, "folder": self._fp32}
            path.write_bytes(pickle.dumps(self._run("reference", job, None)))
        found = pickle.loads(path.read_bytes())
        found["compared"] = [self._fp32 / each.name for each in found["compared"]]  # the folder may have moved
        return found

    def results(self, case: Case, contender: Contender, draw: int, folds, variants) -> dict[str, list[dict]]:
        """Variant -> the result of each fold."""
        found, paths = {}, {name: self._place(case, contender, draw, folds, name) for name in variants}
        for name, path in paths.items():
            if contender.keep and path.exists():
                found[name] = pickle.loads(path.read_bytes())
        missing = [name for name in variants if name not in found]
        if missing:
            make = self._peer if contender.source is None else self._convert
            made = make(case, contender, draw, folds, missing)
            for name in missing:
                found[name] = [result for result in made if result["variant"] == name]
                if contender.keep and not any("error" in result for result in found[name]):
                    paths[name].write_bytes(pickle.dumps(found[name]))
        return {name: found[name] for name in variants}

    def speed(self, case: Case, contenders: list[Contender], variants) -> dict[Any, float]:
        """Milliseconds of the FP32 graph, "fp32", and of (variant, name of a contender)."""
        graphs: dict[Any, Path] = {"fp32": case.path}
        for contender in contenders:
            for variant in variants:
                path = self._graph(case, contender, f".{variant}.pb")
                if path.exists():
                    graphs[variant, contender.name] = path
        return self._run("speed", {"case": case, "data": self.data, "graphs": graphs}, None)

    def _graph(self, case: Case, contender: Contender, ending: str) -> Path:
        """Where the graph of the first draw is."""
        name = f"{case.graph}.{contender.name}"
        if not contender.keep:
            return self._folder / f"{name}{ending}"
        return self._kept / f"{name}-{_short(contender.keep.encode())}{ending}"

    def _place(self, case: Case, contender: Contender, draw: int, folds, variant: str) -> Path:
        rows = hashlib.sha256(b"".join(part.astype(np.int64).tobytes() for fold in folds for part in fold))
        key = f"{contender.name} {contender.keep} {_digest(case)} {case} {rows.hexdigest()}"
        return self._kept / f"{case.graph}.{contender.name}.{variant}.{draw}.{_short(key.encode())}.pickle"

    def _convert(self, case: Case, contender: Contender, draw: int, folds, variants) -> list[dict]:
        job = {
            "case": case,
            "data": self.data,
            "compared": self.reference(case)["compared"],
            "folds": folds,
            "variants": variants,
            "set": contender.options,
            "share": contender.name == "before",
            "keep": self._graph(case, contender, "") if draw == 0 else "",
        }
        try:
            return self._run("convert", job, contender.source)
        except ChildError as error:
            return [{"variant": variant, "error": str(error)} for variant in variants for _ in folds]

    def _peer(self, case: Case, contender: Contender, draw: int, folds, variants) -> list[dict]:
        samples = real_data.load(case, self.data, case.size or (300, 300))
        batch = case.batch if case.batch == 1 else 10
        made = []
        for number, (chosen, rows) in enumerate(folds):
            (self._folder / "fp32.pb").write_bytes(case.path.read_bytes())
            np.save(self._folder / "calibration.npy", samples.batch(case, chosen))
            for variant in variants:
                outputs = ",".join(name.split(":")[0] for name in case.outputs)
                words = [self._folder, "int8.pb", case.source.split(":")[0], outputs, batch, variant == "per_channel"]
                try:
                    told = _call([contender.python, _HERE / "peer_neural_compressor.py", *words], {}, _PEER_SECONDS)
                    job = {"case": case, "data": self.data, "graph": self._folder / "int8.pb", "rows": rows}
                    found = self._run("judge", {**job, "compared": self.reference(case)["compared"]}, None)
                except ChildError as error:
                    made.append({"variant": variant, "error": str(error)})
                    continue
                seconds = json.loads(told.splitlines()[-1])["seconds"]
                made.append({"variant": variant, "seconds": seconds, **found})
                if draw == 0 and number == 0:
                    kept = self._graph(case, contender, f".{variant}.pb")
                    kept.write_bytes((self._folder / "int8.pb").read_bytes())
        return made

    def _run(self, step: str, job: dict, source: Path | None) -> Any:
        path, result = self._folder / "job.pickle", self._folder / "result.pickle"
        path.write_bytes(pickle.dumps({**job, "result": result}))
        tools = [entry for entry in sys.path if entry.endswith("bench-tools")]
        environment = {"PYTHONPATH": os.pathsep.join([*([str(source)] if source else []), *tools])}
        _call([sys.executable, _HERE / "accuracy_worker.py", step, path], environment)
        return pickle.loads(result.read_bytes())


class ChildError(Exception):
    """A child failed; the message is the end of what it said."""


def _call(words: list, environment: dict[str, str], seconds: float | None = None) -> str:
    """What a child prints.

    Raises:
        ChildError: it failed, or took too long.
    """
    quiet = {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "2", "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    settings = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **quiet, **environment}
    try:
        child = subprocess.run(
            [str(word) for word in words], check=False, capture_output=True, text=True, env=settings, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise ChildError(f"not done after {seconds:.0f} s") from None
    if child.returncode:
        last = next((line for line in reversed(child.stderr.splitlines()) if line.strip()), "")
        raise ChildError(f"exit {child.returncode}: {last.strip()[:_LAST]}")
    return child.stdout


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _digest(case: Case) -> str:
    return _short(case.path.read_bytes())
