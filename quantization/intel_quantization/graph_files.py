"""Where the graphs of one conversion go: the result, and with ``debug`` the graphs between, named as in 1.1."""

from __future__ import annotations

import os
from typing import Optional

from intel_quantization.errors import BadInputError
from intel_quantization.graph.graph import Graph
from intel_quantization.graph.io import write_graph

RESULT = "int8_final_fused_graph.pb"
OPTIMIZED = "fp32_optimized_graph.pb"
LOGGED = "fp32_logged_graph.pb"
FROZEN_RANGES = "int8_frozen_range_graph.pb"


def default_output(input_graph: str) -> str:
    """The INT8 graph's path where the user left it to us.

    As in 1.1 beside the input, the input's links followed; where nothing can be written there, as in a
    container, in the workspace's output folder, or else in the current directory.
    """
    folders = [
        os.path.dirname(os.path.realpath(input_graph)),
        os.path.join(os.environ.get("WORKSPACE", "/workspace"), "output"),
        os.getcwd(),
    ]
    writable = [folder for folder in folders if os.access(folder, os.W_OK | os.X_OK)]
    return os.path.join((writable or folders)[0], RESULT)


def check_paths(input_graph: Optional[str], output_graph: Optional[str]) -> None:
    """Refuse paths that cannot work, before any work starts.

    Raises:
        BadInputError: there is no such input, or the output's directory does not exist.
    """
    if input_graph is not None and not os.path.exists(input_graph):
        raise BadInputError("the input graph %s does not exist" % input_graph, "check the path")
    if output_graph is not None:
        directory = os.path.dirname(os.path.abspath(output_graph))
        if not os.path.isdir(directory):
            raise BadInputError("the output graph's directory %s does not exist" % directory, "create it first")


class GraphFiles:
    """Writes the graphs between the input and the result, where they are wanted.

    Args:
        debug_dir: where those graphs go that have a name in 1.1; None: nowhere.
        stages_dir: where the graph after each pass goes; None: nowhere.
    """

    def __init__(self, debug_dir: Optional[str], stages_dir: Optional[str]) -> None:
        self.debug_dir = debug_dir
        self.stages_dir = stages_dir

    def stage(self, name: str, graph: Graph) -> None:
        """Keep the graph after a pass."""
        if self.stages_dir is not None:
            write_graph(graph.to_graph_def(), os.path.join(self.stages_dir, name + ".pb"))

    def debug(self, name: str, graph: Graph) -> None:
        """Keep a graph that has a name in 1.1."""
        if self.debug_dir is not None:
            write_graph(graph.to_graph_def(), os.path.join(self.debug_dir, name))

    def debug_path(self, name: str) -> Optional[str]:
        """Where a graph that somebody else writes is to be kept; None: nowhere."""
        return None if self.debug_dir is None else os.path.join(self.debug_dir, name)
