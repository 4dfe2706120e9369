"""The files that a job leaves: each is called like the INT8 graph, with another suffix."""

from __future__ import annotations

import re
from typing import NamedTuple, Pattern

FOLDER = "output"
"""Below the workspace."""

GRAPH = ".pb"
REPORT_HTML = ".report.html"
REPORT_JSON = ".report.json"
REPORT_MARKDOWN = ".report.md"
STATISTICS = ".statistics.json"
MANIFEST = ".manifest.json"
INTERMEDIATE = ".intermediate"
"""A folder."""
WITH_PATCHES = INTERMEDIATE + "/statistics.npz"


class Output(NamedTuple):
    """What a file is, for people."""

    suffix: str
    meaning: str


OUTPUTS = (
    Output(GRAPH, "the INT8 graph, frozen; same inputs and outputs as the FP32 graph, named in the report"),
    Output(
        REPORT_HTML,
        "for people: what is wrong, if anything is; accuracy, latency, Op, total, INT8, FP32, why nodes stayed in "
        "FP32, provenance",
    ),
    Output(REPORT_JSON, "the same for programs"),
    Output(REPORT_MARKDOWN, "the short of it, for a pull request"),
    Output(
        STATISTICS,
        "what calibration saw, with the hashes of the graph and the data; [`--statistics`](options.md#notes) takes it",
    ),
    Output(MANIFEST, "size and SHA-256 of all of them"),
    Output(
        INTERMEDIATE + "/",
        "with `--intermediate`: the graph of every stage, and `statistics.npz`, which has the patches, too",
    ),
)

MANIFEST_SCHEMA = 1
REPORT_SCHEMA = 1
LONGEST_SUFFIX = max((GRAPH, REPORT_HTML, REPORT_JSON, REPORT_MARKDOWN, STATISTICS, MANIFEST, INTERMEDIATE), key=len)


def stem_of(out_graph: str) -> str:
    """The name of the INT8 graph without ``.pb``; every file of a run begins with it."""
    return out_graph[: -len(GRAPH)] if out_graph.endswith(GRAPH) else out_graph


def listed_names(stem: str) -> Pattern[str]:
    """The names that a manifest may list, relative to the folder of the outputs; a job makes no others."""
    files = "|".join(re.escape(suffix) for suffix in (GRAPH, REPORT_HTML, REPORT_JSON, REPORT_MARKDOWN, STATISTICS))
    files += "|" + re.escape(WITH_PATCHES)
    stages = re.escape(INTERMEDIATE) + r"/[A-Za-z0-9_][A-Za-z0-9._-]{0,120}" + re.escape(GRAPH)
    return re.compile(f"{re.escape(stem)}(?:{files}|{stages})")
