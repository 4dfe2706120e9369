"""Readers of what a user, a job or an engine gives, as functions of bytes, with seeds: ``make fuzz`` damages these."""

from __future__ import annotations

import io
import json
import os

import numpy as np
from google.protobuf import text_format

from intel_quantization import job as jobs
from intel_quantization.contract.job import SCHEMA
from intel_quantization.data.array_file import stored_arrays
from intel_quantization.data.datasets import open_dataset
from intel_quantization.data.image_size import check_image_size
from intel_quantization.data.images import Image, Images
from intel_quantization.data.labels import labelled, row_labels
from intel_quantization.errors import BadInputError
from intel_quantization.reading.interface import TensorInfo
from intel_quantization.reading.load import load_graph
from intel_quantization.zoo.config import load_entries
from launch_quantization.commands.options import run_options
from launch_quantization.errors import LauncherError
from launch_quantization.job.validation import checked_job
from launch_quantization.output import graph_message
from launch_quantization.stream import events
from launch_quantization.stream.lines import LineSplitter
from launch_quantization.stream.sanitize import safe_text
from tests.fuzz import seeds
from tests.fuzz.read_outputs import output_readers
from tests.fuzz.read_statistics import statistics_readers
from tests.fuzz.read_truths import truth_readers
from tests.fuzz.reader import Reader

ROWS = (TensorInfo("input:0", "input", "float32", (None, 6)),)
_BEGINNINGS = {"png": b"\x89PNG", "jpeg": b"\xff\xd8", "gif": b"GIF8", "bmp": b"BM"}
_MOST = 64
"""Rows of an array that are read; what a file claims may be billions."""


NAMES = ("npy", "npz", "label arrays", "label lists", "label tables", "image headers", "graphs", "text graphs")
NAMES += ("job files", "zoo files", "events", "outputs", "command lines", "statistics", "statistics archives")
NAMES += ("boxes", "maps of pixels", "manifests", "reports")


def readers() -> dict[str, Reader]:
    """All readers, by name."""
    return {
        "npy": Reader(_arrays("a.npy"), tuple(_npy(dtype) for dtype in (np.float32, np.uint8, np.int64))),
        "npz": Reader(_arrays("a.npz"), (_npz(np.savez), _npz(np.savez_compressed))),
        "label arrays": Reader(_row_labels("l.npy"), (_npy(np.int64, (8,)), _npy(np.uint8, (8,)), _npy("S0", (8,)))),
        "label lists": Reader(_row_labels("l.txt"), (b"0\n1\n2\n3\n4\n5\n6\n7\n", b"a,0\nb,1\n" * 4)),
        "label tables": Reader(
            _tables, (b"a.png 0\nb.png 1\n", b"file,label\na.png,0\nb.png,1\n", b"a.png\tx\nb.png\ty")
        ),
        "image headers": Reader(_image_header, (seeds.png(), seeds.bmp(), seeds.gif(), seeds.jpeg())),
        "graphs": Reader(_graph("g.pb"), (seeds.graph("classifier").SerializeToString(deterministic=True),)),
        "text graphs": Reader(_graph("g.pbtxt"), (text_format.MessageToString(seeds.graph("pieces")).encode(),)),
        "job files": Reader(_job, tuple(json.dumps(job).encode() for job in _JOBS)),
        "zoo files": Reader(_zoo, (json.dumps(_ENTRIES).encode(),)),
        "events": Reader(_events, tuple(json.dumps(event).encode() for event in _EVENTS)),
        "outputs": Reader(_output, (seeds.graph("first").SerializeToString(deterministic=True),)),
        "command lines": Reader(_command_line, tuple("\0".join(words).encode() for words in _LINES)),
        **statistics_readers(),
        **truth_readers(),
        **output_readers(),
    }


def _write(folder: str, name: str, data: bytes) -> str:
    path = os.path.join(folder, name)
    with open(path, "wb") as stream:
        stream.write(data)
    return path


# -- arrays and labels ---------------------------------------------------------------------------


def _npy(dtype, shape=(8, 6)) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(np.prod(shape)).reshape(shape).astype(dtype))
    return stream.getvalue()


def _npz(save) -> bytes:
    stream = io.BytesIO()
    save(stream, input=np.arange(48, dtype=np.float32).reshape(8, 6), labels=np.arange(8))
    return stream.getvalue()


def _arrays(name: str):
    def read(folder: str, data: bytes) -> None:
        path = _write(folder, name, data)
        for array in stored_arrays(path).values():
            for row in array.rows(range(min(array.shape[0], _MOST) if array.shape else 0)):
                assert row.shape == array.shape[1:]
        found = open_dataset(path, ROWS, 4, 0, 0)
        for batch in found.feed(found.split.calibration, "none").batches():
            assert batch.feed["input:0"].shape[1:] == (6,)

    return read


def _row_labels(name: str):
    def read(folder: str, data: bytes) -> None:
        assert row_labels(_write(folder, name, data), 8).shape == (8,)

    return read


def _tables(folder: str, data: bytes) -> None:
    images = Images(tuple(Image(os.path.join(folder, name)) for name in ("a.png", "b.png")))
    for name in ("l.txt", "l.csv"):
        try:
            found, _ = labelled(images, folder, _write(folder, name, data))
        except BadInputError:
            if name == "l.csv":
                raise
        else:
            assert all(image.label is not None for image in found.files)


def _image_header(folder: str, data: bytes) -> None:
    del folder
    for kind, beginning in _BEGINNINGS.items():
        if data.startswith(beginning):
            check_image_size("it", kind, data)
            return
    raise BadInputError("it begins as no image does")


# -- graphs --------------------------------------------------------------------------------------


def _graph(name: str):
    def read(folder: str, data: bytes) -> None:
        load_graph(_write(folder, name, data))

    return read


def _output(folder: str, data: bytes) -> None:
    """What the launcher says of a job's graph, which TensorFlow must not find to have no nodes, or damaged ones."""
    with open(_write(folder, "out.pb", data), "rb") as stream:
        complaint = graph_message.complaint(stream.fileno())
    if complaint:
        raise BadInputError(complaint)


# -- texts ---------------------------------------------------------------------------------------

_JOBS = (
    {"schema": SCHEMA, "in_graph": "g.pb", "out_graph": "output/o.pb", "samples": 4, "inputs": ["a"], "seed": 1},
    {"schema": SCHEMA, "in_graph": "g", "out_graph": "output/o.pb", "mean": [1, 2.5, 3], "std": [1], "scale": [2]},
    {"schema": SCHEMA, "in_graph": "g", "out_graph": "o.pb", "resize": "crop:256", "data_function": "a/f.py:data"},
    {
        "schema": SCHEMA,
        "in_graph": "g",
        "out_graph": "o.pb",
        "preprocess": "caffe",
        "algo": "KL",
        "equalize": True,
    },
)
_ENTRIES = [
    {
        "MODEL_NAME": "net",
        "LAUNCH_BENCHMARK_PARAMS": {
            "LAUNCH_BENCHMARK_SCRIPT": "benchmarks/launch.py",
            "LAUNCH_BENCHMARK_CMD": ["--framework tensorflow", " --mode=inference", "--name 'a b'"],
            "IN_GRAPH": "--in-graph={}",
            "DATA_LOCATION": "--data-location {}",
            "DIRECT_PASS_PARAMS_TO_MODEL": ["--", "steps=10"],
        },
        "QUANTIZE_GRAPH_CONVERTER_PARAMS": {"INPUT_NODE_LIST": ["input"], "PER_CHANNEL_FLAG": True},
        "MODEL_ZOO": {"NEEDS": ["models"], "TAGS": "v1", "DATA": "folder"},
    }
]
_EVENTS = (
    {"event": "start", "tensorflow": "2.14", "cpu": ["avx2"], "python": "3.11", "threads": 2},
    {"event": "stage", "name": "read", "index": 1, "total": 6, "time": 12.5},
    {"event": "progress", "name": "calibrate", "done": 1, "total": 9},
    {"event": "log", "level": "warning", "message": "an \u001b[2J escape"},
    {"event": "error", "kind": "bad_input", "message": "no", "remedy": "try"},
    {"event": "end", "exit_code": 0, "time": 1e300},
)
_LINES = (
    ("-g", "net.pb", "-d", "images", "-o", "out.pb", "--samples", "9", "--algo", "KL", "--timeout", "1h"),
    (
        "--in_graph=net.pb",
        "-d",
        "images",
        "--memory",
        "2g",
        "--cpus",
        "1.5",
        "--mean",
        "1,2,3",
        "--std=2",
        "--resize",
        "crop:256",
    ),
    (
        "-g",
        "net.pb",
        "--inputs",
        "a,b",
        "--excluded_ops=MatMul",
        "--output_limit",
        "8m",
        "--stall_timeout",
        "5s",
        "-d",
        "images",
    ),
    ("-g", "net.pb", "-d", "images", "--callback", "python f.py {}", "--allow_op", "ReadFile", "--dry_run"),
)


def _job(folder: str, data: bytes) -> None:
    del folder
    jobs.parse(data.decode("utf-8", "replace"))


def _zoo(folder: str, data: bytes) -> None:
    load_entries(_write(folder, "models.json", data))


def _events(folder: str, data: bytes) -> None:
    del folder
    splitter = LineSplitter(events.LINE_LIMIT + 1)
    for line in [*splitter.feed(data), *splitter.flush()]:
        event = events.parse(line)
        if event is not None:
            shown = event.as_json()
            assert shown.isascii(), shown
            assert shown.isprintable(), shown
            assert events.parse(shown.encode()) is not None, shown
    assert safe_text(data.decode("utf-8", "surrogateescape")).isprintable()


def _command_line(folder: str, data: bytes) -> None:
    """Words apart by null bytes, with a graph and images that are there."""
    _write(folder, "net.pb", b"x")
    os.makedirs(os.path.join(folder, "images"), exist_ok=True)
    _write(folder, "images/a.png", b"x")
    before = os.getcwd()
    os.chdir(folder)
    try:
        checked_job(run_options(data.decode("utf-8", "surrogateescape").split("\0")))
    except LauncherError as error:
        raise BadInputError(error.message) from None
    except SystemExit as ending:  # --help and --version
        if ending.code:
            raise RuntimeError(f"exit code {ending.code}") from None
    finally:
        os.chdir(before)
