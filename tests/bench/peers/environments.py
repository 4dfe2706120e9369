"""The environments of the peers, each its own, made where it is missing."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_TENSORFLOW = "tensorflow-cpu==2.14.1"


@dataclass(frozen=True)
class Peer:
    """Somebody else's quantizer.

    Attributes:
        name: for the table.
        python: the version that it needs.
        packages: for pip, with their versions.
        suffix: of what it makes.
    """

    name: str
    python: str
    packages: tuple[str, ...]
    suffix: str


PEERS = {
    "intel_quantization_1_1": Peer(
        "intel-quantization 1.1", "3.7", ("intel-quantization==1.1", "intel-tensorflow==2.1.0", "protobuf<3.21"), ".pb"
    ),
    "neural_compressor": Peer(
        "neural-compressor-tf 3.10", "3.11", ("neural-compressor-tf==3.10", _TENSORFLOW, "numpy<2"), ".pb"
    ),
    "onnxruntime": Peer(
        "onnxruntime (tf2onnx, QDQ)",
        "3.11",
        ("onnxruntime==1.17.3", "tf2onnx==1.16.1", "onnx==1.15.0", _TENSORFLOW, "numpy<2"),
        ".onnx",
    ),
    "tflite": Peer("TFLite, full integer", "3.11", (_TENSORFLOW, "numpy<2"), ".tflite"),
    "model_compression_toolkit": Peer(
        "model-compression-toolkit 2.6.1",
        "3.11",
        ("model-compression-toolkit==2.6.1", _TENSORFLOW, "numpy<2"),
        ".tflite",
    ),
}


class UnavailableError(Exception):
    """An environment cannot be made; the message says why."""


def ensure(key: str, root: Path) -> Path:
    """The Python of a peer's environment below ``root``.

    Raises:
        UnavailableError: there is no such Python, or pip does not find the packages.
    """
    peer = PEERS[key]
    known = hashlib.sha256(" ".join((peer.python, *peer.packages)).encode()).hexdigest()
    folder = root / key
    python, mark = folder / "bin" / "python", folder / "packages.sha256"
    if mark.is_file() and mark.read_text() == known:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    base = _python(peer.python)
    _run([base, "-m", "venv", str(folder)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages])
    mark.write_text(known)
    return python


def _python(version: str) -> str:
    candidates = [shutil.which(f"python{version}")]
    candidates += sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")))
    for candidate in filter(None, candidates):
        # a shim of pyenv is there for versions that are not
        if subprocess.run([candidate, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return str(candidate)
    raise UnavailableError(f"no Python {version} here")


def _run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        told = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["pip failed"]
        raise UnavailableError(told[-1].removeprefix("ERROR: "))
