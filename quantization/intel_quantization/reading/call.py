"""What those who call a graph name: a signature, and what its inputs and outputs are called there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, Iterable, Mapping, Optional

from tensorflow.core.protobuf import meta_graph_pb2

from intel_quantization.graph import tensors
from intel_quantization.reading.freeze_function import Frozen
from intel_quantization.reading.interface import TensorInfo

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Call:
    """How a graph is called.

    Attributes:
        signature: its name.
        inputs: what each input is called -> its tensor, ``input:0``; in the order of a positional call.
        outputs: likewise.
        definition: what the SavedModel that was read says of the signature; None where it was another form.
        form: what was read, as Loaded has it.
        folder: of the SavedModel; empty where it was another form.
    """

    signature: str = DEFAULT_SIGNATURE
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    definition: Optional[meta_graph_pb2.SignatureDef] = None
    form: str = "graph"
    folder: str = ""


def call_of(
    frozen: Frozen, inputs: Iterable[TensorInfo], outputs: Iterable[TensorInfo], form: str, folder: str = ""
) -> Call:
    """How a graph is called: as the file said; what it did not name is called like its node.

    Args:
        frozen: what was read.
        inputs, outputs: those that are used, which the user may have named.
        form, folder: as Call has them.
    """
    return Call(
        frozen.signature or DEFAULT_SIGNATURE,
        _name_tensors(frozen.inputs, inputs),
        _name_tensors(frozen.outputs, outputs),
        frozen.definition,
        form,
        folder,
    )


def _name_tensors(known: Mapping[str, str], infos: Iterable[TensorInfo]) -> Dict[str, str]:
    keys = {"%s:%d" % tensors.split(tensor): key for key, tensor in reversed(list(known.items()))}
    named: Dict[str, str] = {}
    for info in infos:
        key = keys.get(info.name) or _strip_output(info.name)
        while key in named:
            key += "_"
        named[key] = info.name
    return {key: named[key] for key in (*(key for key in known if key in named), *named)}


def _strip_output(tensor: str) -> str:
    """The node's name as a name that an argument may have in Python; the number of an output but the first behind it.

    A signature's names are such arguments.
    """
    node, index = tensors.split(tensor)
    name = re.sub(r"[^A-Za-z0-9_]", "_", node) + ("_%d" % index if index else "")
    return name if name[:1].isalpha() or name[:1] == "_" else "x_" + name
