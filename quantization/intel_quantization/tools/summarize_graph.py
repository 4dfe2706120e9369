"""``summarize_graph``: says what is in a graph, and what of it may become INT8.

    python -m intel_quantization.tools.summarize_graph --in_graph=net.pb

The flags are those of intel-quantization 1.1, and so are ``SummarizeGraph`` and the lines that come first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

from intel_quantization.errors import BadInputError, QuantizationError
from intel_quantization.tools.flags import names

_SHOWN = 5
_NOT_INSTALLED = 6  # as the launcher where an environment is not there
_READER_LEFT = 141


def main(argv: Optional[Sequence[str]] = None) -> int:
    """The command; returns its exit status."""
    options = _make_parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        from intel_quantization.graph_summary import summarize  # only now: this imports TensorFlow
    except ModuleNotFoundError as error:
        print("summarize_graph: %s" % error, file=sys.stderr)
        print("  TensorFlow is needed, any from 1.15 on: pip install tensorflow-cpu", file=sys.stderr)
        return _NOT_INSTALLED
    try:
        binary = options.input_binary or not options.text
        found = summarize(options.in_graph, binary, options.signature, options.inputs, options.outputs)
    except QuantizationError as error:
        print("summarize_graph: %s" % error.message, file=sys.stderr)
        if error.remedy:
            print("  " + error.remedy, file=sys.stderr)
        return error.exit_code
    text = json.dumps(found.to_json(), indent=1) if options.json else "\n".join(lines(found, options.all))
    try:
        print(text, flush=True)
    except BrokenPipeError:  # as with | head; what is still buffered must not fail at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_LEFT
    return 0


def SummarizeGraph(in_graph: Optional[str] = None, input_binary: bool = True) -> Tuple[List[str], List[str]]:  # noqa: N802
    """Print what is in a graph.

    Args:
        in_graph: path of the graph.
        input_binary: False for a text graph.

    Returns:
        The names of its input nodes and of its output nodes.

    Raises:
        BadInputError: it does not exist or cannot be read.
    """
    if not in_graph or not os.path.exists(in_graph):
        raise BadInputError("in_graph %s does not exist" % in_graph, "check the path")
    from intel_quantization.graph_summary import summarize

    found = summarize(in_graph, input_binary)
    print("\n".join(lines(found)))
    outputs = [info.node for info, _op in found.outputs]
    return [info.node for info in found.inputs], list(dict.fromkeys(outputs))


def lines(found: Any, everything: bool = False) -> List[str]:
    """A Summary as text: the lines of 1.1, and after them what it did not tell.

    Args:
        found: the Summary.
        everything: name every node, not only the first of each reason.
    """
    from intel_quantization.tools import first_version

    text = first_version.lines(found.graph_def)
    if found.form in ("saved_model", "keras"):
        text.append("Frozen from a " + ("Keras file" if found.form == "keras" else "SavedModel, " + found.signature))
    text += [
        "A conversion feeds %s (%s, %s)" % (_tell_name(i), i.dtype or "unknown", _tell_shape(i)) for i in found.inputs
    ]
    text += ["A conversion keeps %s (%s, %s)" % (_tell_name(i), op, i.dtype or "unknown") for i, op in found.outputs]
    text.append("Found %d constants with %d values, %d variables" % (*found.constants, len(found.variables)))
    text += ["(variable=%s)" % name for name in found.variables]
    text.append("%d nodes, %d bytes" % (found.nodes, found.size))
    return text + _tell_quantization(found, everything)


def _tell_quantization(found: Any, everything: bool) -> List[str]:
    if found.obstacle:
        return ["Nothing can be said of INT8: " + found.obstacle]
    candidates = [item for item in found.decisions if item.int8]
    text = ["May become INT8 once calibrated: %d of %d" % (len(candidates), len(found.decisions))]
    by_reason: Dict[Tuple[str, str], List[str]] = {}
    for item in found.decisions:
        key = (item.op, item.reason)
        by_reason.setdefault(key, []).append(item.node)
    for (op, reason), nodes in by_reason.items():
        if everything:
            text += ["(name=%s, op=%s, %s)" % (name, op, reason or "candidate") for name in nodes]
        else:
            more = ", ..." if len(nodes) > _SHOWN else ""
            shown = ": " + ", ".join(nodes[:_SHOWN]) + more if reason else ""
            text.append("  %d %s %s%s" % (len(nodes), op, "stay FP32, " + reason if reason else "candidates", shown))
    return text


def _tell_name(info: Any) -> str:
    return info.name[: -len(":0")] if info.name.endswith(":0") else info.name


def _tell_shape(info: Any) -> str:
    return "None" if info.shape is None else "[%s]" % ",".join("?" if n is None else str(n) for n in info.shape)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="summarize_graph", description="Says what is in a graph, and what of it may become INT8."
    )
    parser.add_argument(
        "-g",
        "--in_graph",
        required=True,
        metavar="PATH",
        help="a frozen graph (.pb), a text graph (.pbtxt), a SavedModel folder or a Keras file (.keras, .h5)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("-b", "--input_binary", action="store_true", help="the graph is binary (recognised anyway)")
    form.add_argument("--text", action="store_true", help="the graph is text (recognised anyway)")
    parser.add_argument("--signature", default="", metavar="NAME", help="the signature of a SavedModel")
    several: Dict[str, Any] = {"type": names, "default": (), "metavar": "A,B"}
    parser.add_argument("--inputs", **several, help="names of the inputs (default: found in the graph)")
    parser.add_argument("--outputs", **several, help="names of the outputs (default: found in the graph)")
    parser.add_argument("--all", action="store_true", help="name every node of the INT8 section")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    return parser


if __name__ == "__main__":
    sys.exit(main())
