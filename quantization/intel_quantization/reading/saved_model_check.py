"""What loading a SavedModel would run of its own, besides restoring its variables; refused before it does."""

from __future__ import annotations

from typing import Collection, Dict, List, Sequence, Set, Tuple

from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from intel_quantization.errors import BadInputError
from intel_quantization.graph import tensors
from intel_quantization.graph.function_library import check_library, reached
from intel_quantization.reading.check_ops import check_nodes, disarmed, needed_nodes
from intel_quantization.reading.op_safety import may_run_unasked, refusal
from intel_quantization.reading.saved_model_assets import asset_arguments, asset_tensors, without_filling
from intel_quantization.reading.well_formed import check_well_formed

_RESTORE = ("RestoreV2", "Restore", "RestoreSlice")
_INIT_SIGNATURE = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
# What TensorFlow 2 calls of a resource when it is loaded, and when it goes.
_CALLED = ("_create_resource", "_initialize", "_destroy_resource")


def check_second(meta: meta_graph_pb2.MetaGraphDef, allowed: Collection[str], path: str) -> None:
    """Check the functions that TensorFlow 2 runs when it loads a SavedModel.

    Raises:
        BadInputError: one touches files, processes or the network; the functions are damaged, or too many.
    """
    graph_def = meta.graph_def
    check_well_formed(graph_def, path)
    check_library(graph_def.library, graph_def.node, path)
    functions = {function.signature.name: function for function in graph_def.library.function}
    called = [functions[name] for name in _called_at_loading(meta) if name in functions]
    for function in called:
        nodes = without_filling(function.node_def, asset_arguments(meta, function))
        check_nodes(nodes, graph_def, allowed, path)
    for name, function in functions.items():  # all of which TensorFlow imports
        for node in function.node_def:
            if node.op not in allowed and may_run_unasked(node.op):
                raise BadInputError(
                    "%s: node '%s' of the function '%s' is a %s, which %s"
                    % (path, node.name, name, node.op, refusal(node.op, node)),
                    "if you trust it, --allow_op %s" % node.op,
                )


def _called_at_loading(meta: meta_graph_pb2.MetaGraphDef) -> List[str]:
    objects = meta.object_graph_def.nodes
    ids: Set[int] = set()
    for item in objects:
        ids.update(child.node_id for child in item.children if child.local_name in _CALLED)
        for saveable in item.saveable_objects.values():
            ids.update((saveable.save_function, saveable.restore_function))
    names: Dict[str, None] = {}
    for number in sorted(ids):
        if 0 <= number < len(objects):
            names.update(dict.fromkeys(objects[number].function.concrete_functions))
            names[objects[number].bare_concrete_function.concrete_function_name] = None
    return list(names)


def check_loading(
    meta: meta_graph_pb2.MetaGraphDef, signatures: Sequence[str], allowed: Collection[str], path: str
) -> None:
    """Check all that TensorFlow 2 runs when it loads a SavedModel of either kind, and what signatures of it would run.

    Raises:
        BadInputError: something touches files, processes or the network.
    """
    if meta.HasField("object_graph_def"):
        check_second(meta, allowed, path)
    else:
        check_well_formed(meta.graph_def, path)
        check_library(meta.graph_def.library, meta.graph_def.node, path)
        _check_restoring(meta, allowed, path)
        for name in _list_initializers(meta):
            needed = needed_nodes(meta.graph_def, (), [name])
            running = [node for node in meta.graph_def.node if node.name in needed]
            check_nodes(without_filling(running, asset_tensors(meta), True), meta.graph_def, allowed, path)
    for name in signatures:
        definition = meta.signature_def[name]
        fed, wanted = ([info.name for info in side.values()] for side in (definition.inputs, definition.outputs))
        _check_needed(meta.graph_def, fed, wanted, allowed, path)


def _check_needed(
    graph_def: graph_pb2.GraphDef, fed: Sequence[str], wanted: Sequence[str], allowed: Collection[str], path: str
) -> None:
    needed = needed_nodes(graph_def, fed, wanted)
    check_nodes((node for node in graph_def.node if node.name in needed), graph_def, allowed, path)


def prepared_first(
    meta: meta_graph_pb2.MetaGraphDef,
    inputs: Sequence[str],
    outputs: Sequence[str],
    allowed: Collection[str],
    path: str,
) -> Tuple[meta_graph_pb2.MetaGraphDef, List[str]]:
    """A SavedModel of TensorFlow 1 without what nobody needs of it and had better not run.

    Args:
        meta: of the file; left as it is.
        inputs: tensors that are fed.
        outputs: nodes that are wanted.
        allowed: ops that may run nevertheless.
        path: its name in errors.

    Returns:
        The same with placeholders in the place of what touches files, and the names of operations that
        initialize it. What initializes it by reading files is left out: it fills tables, which no frozen graph has.

    Raises:
        BadInputError: what the outputs need, or what restores the variables, touches files.
    """
    graph_def = meta.graph_def
    check_well_formed(graph_def, path)
    check_library(graph_def.library, graph_def.node, path)
    _check_needed(graph_def, inputs, outputs, allowed, path)
    needed = needed_nodes(graph_def, inputs, outputs)
    restoring = _check_restoring(meta, allowed, path)
    initializers = [name for name in _list_initializers(meta) if _is_harmless(graph_def, name, allowed)]
    clean = meta_graph_pb2.MetaGraphDef()
    clean.CopyFrom(meta)
    clean.graph_def.CopyFrom(disarmed(graph_def, needed | restoring, allowed))
    return clean, initializers


def _check_restoring(meta: meta_graph_pb2.MetaGraphDef, allowed: Collection[str], path: str) -> Set[str]:
    """The nodes that restore the variables; they may read the SavedModel's own file."""
    if not meta.HasField("saver_def"):
        return set()
    names = needed_nodes(meta.graph_def, (), [meta.saver_def.restore_op_name])
    nodes = {node.name: node for node in meta.graph_def.node}
    own = tensors.node_of(meta.saver_def.filename_tensor_name)
    running = [nodes[name] for name in names]
    for function in reached(running, meta.graph_def.library).values():
        running += function.node_def
    for node in running:
        what = "" if node.op in allowed else refusal(node.op, node)
        if node.op in _RESTORE and nodes.get(node.name) is node:
            what = "" if _comes_from(nodes, node, own) else "reads another file than the SavedModel's"
        if what:
            raise BadInputError(
                "%s: node '%s', which restores variables, is a %s, which %s" % (path, node.name, node.op, what),
                "export it anew; or, if you trust it, --allow_op %s" % node.op,
            )
    return names


def _comes_from(nodes: Dict[str, node_def_pb2.NodeDef], node: node_def_pb2.NodeDef, source: str) -> bool:
    seen: Set[str] = set()
    name = tensors.node_of(node.input[0]) if node.input else ""
    while name != source:
        if name not in nodes or nodes[name].op != "Identity" or not nodes[name].input or name in seen:
            return False
        seen.add(name)
        name = tensors.node_of(nodes[name].input[0])
    return True


def _list_initializers(meta: meta_graph_pb2.MetaGraphDef) -> List[str]:
    if _INIT_SIGNATURE in meta.signature_def:
        return [info.name for info in meta.signature_def[_INIT_SIGNATURE].outputs.values()]
    for key in _INIT_COLLECTIONS:
        if key in meta.collection_def:
            return list(meta.collection_def[key].node_list.value)
    return []


def _is_harmless(graph_def: graph_pb2.GraphDef, name: str, allowed: Collection[str]) -> bool:
    try:
        _check_needed(graph_def, (), [name], allowed, "")
    except BadInputError:
        return False
    return bool(needed_nodes(graph_def, (), [name]))
