"""The files that a job leaves: each is called like the INT8 graph, with another suffix."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional, Pattern

from . import words

FOLDER = "output"
"""Below the workspace."""

GRAPH = ".pb"
SAVED_MODEL = "/"
"""A folder, in place of GRAPH."""
SAVED_MODEL_FILE = SAVED_MODEL + "saved_model.pb"
"""What holds the INT8 graph of a SavedModel."""
REPORT_HTML = ".report.html"
REPORT_JSON = ".report.json"
REPORT_MARKDOWN = ".report.md"
MODEL_EXPLORER = ".model_explorer.json"
STATISTICS = ".statistics.json"
MANIFEST = ".manifest.json"
INTERMEDIATE = ".intermediate"
"""A folder."""
WITH_PATCHES = INTERMEDIATE + "/statistics.npz"


KEPT_FOLDER = "kept"
"""Below the workspace: what calibrations of earlier runs on this graph saw; not there where none is to be used."""
KEPT_NAME = re.compile(r"calibrated-[0-9a-f]{64}\.npz")
"""What a job leaves for later runs, in FOLDER, as soon as it has calibrated."""


def kept_name(key: str) -> str:
    """The name of the file, for a SHA-256 of all that decides what calibration sees."""
    return f"calibrated-{key}.npz"


class Output(NamedTuple):
    """What a file is, for people."""

    suffix: str
    meaning: str


OUTPUTS = (
    Output(GRAPH, "the INT8 graph, frozen; same inputs and outputs as the FP32 graph, named in the report"),
    Output(
        SAVED_MODEL,
        "with `--format saved_model`, in its place: a SavedModel, with the signatures and assets of what was read",
    ),
    Output(
        REPORT_HTML,
        "for people, one page that asks nobody for anything: the verdict, what to do about layers that lose, accuracy, "
        "latency, Op, total, INT8, FP32, why, the error along the graph, ranges, the graph as a picture, provenance",
    ),
    Output(REPORT_JSON, "the same for programs"),
    Output(REPORT_MARKDOWN, "the short of it, for a pull request"),
    Output(
        MODEL_EXPLORER,
        "signal to noise of each layer in dB, as node data for Google's Model Explorer, to lay over a graph; where "
        "layers were looked at",
    ),
    Output(
        STATISTICS,
        "what calibration saw, with the hashes of the graph and the data; [`--statistics`](options.md#notes) takes it",
    ),
    Output(
        MANIFEST,
        "size and SHA-256 of all of them, and what they were made of, where, and how, for "
        "[verify and replay](../how-to/reproduce.md)",
    ),
    Output(
        INTERMEDIATE + "/",
        "with `--intermediate`: the graph of every stage, and `statistics.npz`, which has the patches, too",
    ),
)

MANIFEST_SCHEMA = 1
REPORT_SCHEMA = 1
_FILES = (GRAPH, REPORT_HTML, REPORT_JSON, REPORT_MARKDOWN, MODEL_EXPLORER, STATISTICS)
LONGEST_SUFFIX = max((*_FILES, MANIFEST, INTERMEDIATE), key=len)


def stem_of(out_graph: str) -> str:
    """The name of the INT8 graph without ``.pb``; every file of a run begins with it."""
    return out_graph[: -len(GRAPH)] if out_graph.endswith(GRAPH) else out_graph


def graph_suffix(form: Optional[str]) -> str:
    """The suffix of the file that holds the INT8 graph, for what ``--format`` says."""
    return SAVED_MODEL_FILE if form == words.SAVED_MODEL else GRAPH


def listed_names(stem: str) -> Pattern[str]:
    """The names that a manifest may list, relative to the folder of the outputs; a job makes no others."""
    files = "|".join(re.escape(suffix) for suffix in _FILES)
    files += "|" + re.escape(WITH_PATCHES)
    stages = re.escape(INTERMEDIATE) + r"/[A-Za-z0-9_][A-Za-z0-9._-]{0,120}" + re.escape(GRAPH)
    part = r"/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]{1,200}"  # a name, of whoever made the model
    model = f"{re.escape(SAVED_MODEL_FILE)}|/variables{part}|/assets(?:\\.extra)?(?:{part}){{1,4}}"
    return re.compile(f"{re.escape(stem)}(?:{files}|{stages}|{model})")
