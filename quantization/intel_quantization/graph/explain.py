"""When a pass fails on a graph: whether that is the pass's fault, or the graph is none that TensorFlow takes."""

from __future__ import annotations

import contextlib
from typing import Iterator

from tensorflow.core.framework import graph_pb2

from intel_quantization.errors import BadInputError, InvalidGraphError, QuantizationError
from intel_quantization.graph.session import open_session


@contextlib.contextmanager
def explained(graph_def: graph_pb2.GraphDef) -> Iterator[None]:
    """If what is done here fails, and TensorFlow cannot import the graph, say that instead.

    To import every graph beforehand would take as long as some passes together.

    Args:
        graph_def: the graph as it was read.

    Raises:
        BadInputError: TensorFlow cannot import it.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError) or (
            isinstance(error, QuantizationError) and not isinstance(error, InvalidGraphError)
        ):
            raise
        try:
            open_session(graph_def).close()
        except BadInputError as told:
            raise told from error
        raise
