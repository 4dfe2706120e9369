"""The INT8 graph to disk: a frozen graph, or a SavedModel where the path ends in a slash."""

from __future__ import annotations

import os
import shutil
from typing import Collection, Tuple

from intel_quantization.conversion import Conversion
from intel_quantization.graph.io import write_graph
from intel_quantization.ops.snapshots import order
from intel_quantization.writing.conventions import convention_of, plain_convention
from intel_quantization.writing.first_form import save_first_form
from intel_quantization.writing.new_folder import new_folder
from intel_quantization.writing.other_signatures import Others, other_signatures
from intel_quantization.writing.second_form import save_second_form
from intel_quantization.writing.tensor_infos import signature_infos

_SECOND = order("2.2")
_EXTRA = "assets.extra"


def is_folder(path: str) -> bool:
    """Whether a path asks for a SavedModel."""
    return path.endswith(("/", os.sep))


def write_result(conversion: Conversion, path: str, allow_op: Collection[str] = ()) -> Tuple[str, ...]:
    """Write the INT8 graph; it is there complete or not at all.

    Args:
        conversion: with the graph, and what callers name.
        path: of the frozen graph; or of a SavedModel's folder, with a slash at its end.
        allow_op: ops that may run although they touch files, processes or the network.

    Returns:
        What a user should know of what was written, a line each.

    Raises:
        OutputError: it cannot be written there.
        QuantizationError: it exceeds 2 GB.
    """
    if not is_folder(path):
        write_graph(conversion.graph, path)
        return ()
    second = all(order(version) >= _SECOND for version in conversion.made_for)
    others = other_signatures(conversion.call, second, allow_op)
    with new_folder(path) as folder:
        _save(conversion, others, second, folder)
        _copy_extra_assets(conversion.call.folder, folder)
    return _told(others)


def _save(conversion: Conversion, others: Others, second: bool, folder: str) -> None:
    call, infos = conversion.call, signature_infos(conversion)
    if not second:
        save_first_form(conversion.graph, call, infos, others.same, folder)
        return
    convention = plain_convention(call) if others.loaded is None else convention_of(others.loaded, call)
    save_second_form(conversion.graph, call, infos, others, convention, folder)


def _copy_extra_assets(source: str, folder: str) -> None:
    """What is not TensorFlow's own, such as the requests that TensorFlow Serving warms up with."""
    extra = os.path.join(source, _EXTRA)
    if source and os.path.isdir(extra):
        shutil.copytree(extra, os.path.join(folder, _EXTRA))


def _told(others: Others) -> Tuple[str, ...]:
    told = []
    if others.fp32:
        told.append("kept in FP32, with their variables: the signatures " + ", ".join(others.fp32))
    if others.lost:
        told.append("the signatures %s are lost: %s" % (", ".join(others.lost), others.why))
    return tuple(told)
