"""Any graph that a user may have, as a frozen GraphDef with its inputs and outputs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Collection, Sequence, Tuple, Union

from tensorflow.core.framework import graph_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph.function_library import check_library
from intel_quantization.graph.io import read_graph
from intel_quantization.graph.newer_attributes import without_newer_attributes
from intel_quantization.reading.call import Call, call_of
from intel_quantization.reading.check_ops import check_ops
from intel_quantization.reading.freeze_function import Frozen
from intel_quantization.reading.frozen import check_frozen
from intel_quantization.reading.interface import TensorInfo, check_sizes, find_inputs, find_outputs
from intel_quantization.reading.keras_model import SUFFIXES, freeze_keras
from intel_quantization.reading.saved_model import freeze_saved_model, is_saved_model
from intel_quantization.reading.text_graph import looks_like_text, read_text_graph
from intel_quantization.reading.truncation import check_whole
from intel_quantization.reading.well_formed import check_edges, check_well_formed

TEXT_SUFFIXES = (".pbtxt", ".prototxt")
FORMATS = "a frozen graph (.pb), a text graph (.pbtxt), a SavedModel folder or a Keras file (.keras, .h5)"


@dataclass(frozen=True)
class Loaded:
    """A frozen graph and its interface.

    Attributes:
        graph_def: the graph.
        inputs: its inputs.
        outputs: its outputs.
        form: what it was read from: ``graph``, ``text``, ``saved_model`` or ``keras``.
        signature: the signature of a SavedModel; empty otherwise.
        call: what its callers name.
    """

    graph_def: graph_pb2.GraphDef
    inputs: Tuple[TensorInfo, ...]
    outputs: Tuple[TensorInfo, ...]
    form: str
    signature: str = ""
    call: Call = field(default_factory=Call)


def read_any(
    source: Union[str, graph_pb2.GraphDef],
    outputs: Sequence[str] = (),
    binary: bool = True,
    signature: str = "",
    allow_op: Collection[str] = (),
) -> Tuple[Frozen, str]:
    """Read a graph in any form, as it is where it is a graph already, and say which form that was.

    See :func:`load_graph`.
    """
    frozen, form = _read(source, outputs, binary, signature, allow_op)
    name = source if isinstance(source, str) else "the graph"
    check_well_formed(frozen.graph_def, name)
    check_library(frozen.graph_def.library, frozen.graph_def.node, name)
    return frozen, form


def _read(
    source: Union[str, graph_pb2.GraphDef],
    outputs: Sequence[str],
    binary: bool,
    signature: str,
    allow_op: Collection[str],
) -> Tuple[Frozen, str]:
    form = _recognise_form(source, binary)
    if signature and form != "saved_model":
        raise BadInputError("only a SavedModel has signatures; '%s' was asked for" % signature, "drop --signature")
    if isinstance(source, graph_pb2.GraphDef):
        return Frozen(source, {}, {}), form
    if form == "saved_model":
        return freeze_saved_model(source, signature, outputs, allow_op), form
    if form == "keras":
        return freeze_keras(source), form
    return Frozen(read_text_graph(source) if form == "text" else read_graph(source), {}, {}), form


def load_graph(
    source: Union[str, graph_pb2.GraphDef],
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    binary: bool = True,
    signature: str = "",
    allow_op: Collection[str] = (),
) -> Loaded:
    """Read a graph in any form, frozen where it is not.

    Args:
        source: a path, or a GraphDef.
        inputs: names of the inputs; for a SavedModel or Keras file also those of its signature. Found when empty.
        outputs: likewise.
        binary: False for a text graph that looks like none.
        signature: the signature of a SavedModel; empty: ``serving_default``, or the only one.
        allow_op: ops that may run although they touch files, processes or the network.

    Raises:
        BadInputError: there is no such file, it is none of FORMATS, damaged, not frozen, or over 2 GB; a name is not
            in it; its outputs need an op that does more than compute.
    """
    frozen, form = read_any(source, outputs, binary, signature, allow_op)
    name = source if isinstance(source, str) else "the graph"
    check_edges(frozen.graph_def, name)
    if form == "graph" and isinstance(source, str) and not outputs:
        check_whole(frozen.graph_def, name)
    graph_def = without_newer_attributes(frozen.graph_def)
    named_inputs = _resolve(inputs, frozen.inputs)
    found_outputs = find_outputs(graph_def, _resolve(outputs, frozen.outputs), named_inputs)
    found_inputs = find_inputs(graph_def, named_inputs, [output.name for output in found_outputs])
    check_sizes(found_inputs, name)
    fed, wanted = [info.name for info in found_inputs], [info.name for info in found_outputs]
    check_frozen(graph_def, fed, wanted, name)
    graph_def = check_ops(graph_def, fed, wanted, allow_op, name)
    folder = source if form == "saved_model" and isinstance(source, str) else ""
    call = call_of(frozen, found_inputs, found_outputs, form, folder)
    return Loaded(graph_def, found_inputs, found_outputs, form, frozen.signature, call)


def _recognise_form(source: Union[str, graph_pb2.GraphDef], binary: bool) -> str:
    if not isinstance(source, str):
        return "graph"
    if os.path.isdir(source):
        if not is_saved_model(source):
            raise BadInputError("%s is a folder without a saved_model.pb" % source, "give " + FORMATS)
        return "saved_model"
    suffix = os.path.splitext(source)[1].lower()
    if suffix in SUFFIXES:
        return "keras"
    return "text" if suffix in TEXT_SUFFIXES or not binary or looks_like_text(source) else "graph"


def _resolve(names: Sequence[str], known: dict[str, Any]) -> Sequence[str]:
    """Names of a signature as names of tensors; all of the signature's where none is named."""
    if not names:
        return list(known.values())
    return [known.get(name, name) for name in names]
