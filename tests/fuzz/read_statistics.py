"""Statistics of an earlier run (``--statistics``): read, and used for the graph that they are of."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from functools import lru_cache

import numpy as np

from intel_quantization.calibration.statistics import Statistics
from intel_quantization.calibration.statistics_file import load_statistics, save_statistics
from intel_quantization.graph_files import GraphFiles
from intel_quantization.measure.synthetic import synthetic_feed
from intel_quantization.ops.capabilities import Capabilities
from intel_quantization.quantize.quantize_graph import Options
from intel_quantization.reading.load import load_graph
from intel_quantization.stages.calibrate import calibrate_on_feed, use_statistics
from intel_quantization.stages.optimize import optimize_graph
from intel_quantization.stages.quantize import quantize_optimized, verify_result
from tests.fuzz import seeds
from tests.fuzz.reader import Reader

_MEMBER = "statistics.json"


def statistics_readers() -> dict[str, Reader]:
    """The text, and the archive that has it with the patches."""
    archive = _saved(".npz")
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    text = members.pop(_MEMBER)

    def read_text(folder: str, data: bytes) -> None:
        """As it is, without patches, and in an archive whose patches are in order."""
        _use(folder, ".json", data)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as made:
            for name, value in {_MEMBER: data, **members}.items():
                made.writestr(name, value)
        _use(folder, ".npz", content.getvalue())

    return {
        "statistics": Reader(read_text, (text,)),
        "statistics archives": Reader(lambda folder, data: _use(folder, ".npz", data), (archive,)),
    }


def _saved(suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "seed" + suffix)
        save_statistics(_prepared()[3], path)
        with open(path, "rb") as stream:
            return stream.read()


@lru_cache(maxsize=1)
def _prepared():
    """(graph as it was read, optimized, what this TensorFlow can do, statistics of made-up data)"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.pb")
        with open(path, "wb") as stream:
            stream.write(seeds.graph("classifier").SerializeToString(deterministic=True))
        loaded, capabilities = load_graph(path), Capabilities(None)
    optimized = optimize_graph(loaded, (), (), capabilities, GraphFiles(None, None))
    feed, _ = synthetic_feed(loaded.inputs, Statistics())
    return loaded, optimized, capabilities, calibrate_on_feed(optimized, [feed])


def _use(folder: str, suffix: str, data: bytes) -> None:
    path = os.path.join(folder, "s" + suffix)
    with open(path, "wb") as stream:
        stream.write(data)
    statistics = load_statistics(path)
    loaded, optimized, capabilities, _ = _prepared()
    use_statistics(optimized, statistics)
    files = GraphFiles(None, None)
    quantized = quantize_optimized(optimized, statistics, Options(), capabilities, files)
    conversion = verify_result(loaded, optimized, statistics, quantized, capabilities, files)
    for node in conversion.graph.node:
        assert np.isfinite(node.attr["value"].tensor.float_val).all(), node.name
