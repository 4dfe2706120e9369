"""The file of zoo models, ``config/models.json``, whose shape is in :mod:`contract.models_file`.

A name may have several entries; the first one whose files are there counts.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import intel_quantization
from intel_quantization.contract.models_file import ENTRY
from intel_quantization.contract.strict import find_complaint
from intel_quantization.errors import BadInputError

NAME = "MODEL_NAME"
BENCHMARK = "LAUNCH_BENCHMARK_PARAMS"
CONVERTER = "QUANTIZE_GRAPH_CONVERTER_PARAMS"
ZOO = "MODEL_ZOO"

_SCRIPT = "LAUNCH_BENCHMARK_SCRIPT"
_COMMAND = "LAUNCH_BENCHMARK_CMD"
_DIRECT = "DIRECT_PASS_PARAMS_TO_MODEL"


@dataclass(frozen=True)
class Entry:
    """One model.

    Attributes:
        name: what ``--model_name`` calls it.
        script: the zoo's program, below the zoo.
        command: its words, without those of the next three.
        in_graph: words that name the graph, ``{}`` in them.
        data_location: words that name the data, ``{}`` in them; none where the file names none.
        model_source_dir: words that name sources of models, ``{}`` in them; none for models that need none.
        direct: words for the model itself, which come last.
        inputs: the graph's inputs; empty: found in the graph, like the outputs.
        outputs: its outputs.
        excluded_ops: ops that stay FP32.
        excluded_nodes: nodes that stay FP32.
        per_channel: one weight range for each output channel.
        needs: files or folders, below the zoo, without which the entry is not for that zoo.
        tags: the zoo's tags that have the model, for people; may be empty.
        data: whether the script wants a ``folder`` or a ``file``; None: anything.
    """

    name: str
    script: str
    command: Tuple[str, ...]
    in_graph: Tuple[str, ...]
    data_location: Tuple[str, ...] = ()
    model_source_dir: Tuple[str, ...] = ()
    direct: Tuple[str, ...] = ()
    inputs: Tuple[str, ...] = ()
    outputs: Tuple[str, ...] = ()
    excluded_ops: Tuple[str, ...] = ()
    excluded_nodes: Tuple[str, ...] = ()
    per_channel: bool = False
    needs: Tuple[str, ...] = ()
    tags: str = ""
    data: Optional[str] = None


def default_file() -> str:
    """The file that comes with this package: within it where it is installed, beside it in a checkout."""
    package = os.path.dirname(os.path.abspath(intel_quantization.__file__))
    inside = os.path.join(package, "config", "models.json")
    return inside if os.path.isfile(inside) else os.path.join(os.path.dirname(package), "config", "models.json")


def load_entries(path: str) -> List[Entry]:
    """All entries of a file, in order.

    Raises:
        BadInputError: it cannot be read, or a key is missing, unknown or of the wrong type; the message names it.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except OSError as error:
        raise BadInputError("cannot read %s: %s" % (path, error.strerror), "check --models_config") from None
    except (ValueError, RecursionError) as error:
        raise BadInputError("%s is not valid JSON: %s" % (path, error), "compare it with config/models.json") from None
    if not isinstance(content, list) or not content:
        raise BadInputError("%s is not a list of models" % path, "compare it with config/models.json")
    return [_read_entry(item, path, number) for number, item in enumerate(content, 1)]


def _read_entry(item: Any, path: str, number: int) -> Entry:
    name = item.get(NAME) if isinstance(item, dict) else None
    where = name.strip() if isinstance(name, str) and name.strip() else "entry %d" % number
    complaint = find_complaint(item, ENTRY, where)
    if complaint is not None:
        raise _make_error(path, complaint)
    benchmark, params, zoo = item[BENCHMARK], item[CONVERTER], item.get(ZOO) or {}
    at = "%s: %s, %s" % (path, where, BENCHMARK)
    script = benchmark[_SCRIPT].strip()
    if os.path.isabs(script) or ".." in script.split("/"):
        raise _make_error(at, "%s is not a path within the zoo: %s" % (_SCRIPT, script))
    return Entry(
        name=where,
        script=script,
        command=_read_words(benchmark, _COMMAND, at),
        in_graph=_with_place(benchmark, "IN_GRAPH", at),
        data_location=_with_place(benchmark, "DATA_LOCATION", at),
        model_source_dir=_with_place(benchmark, "MODEL_SOURCE_DIR", at),
        direct=_read_words(benchmark, _DIRECT, at),
        inputs=_strip(params.get("INPUT_NODE_LIST")),
        outputs=_strip(params.get("OUTPUT_NODE_LIST")),
        excluded_ops=_strip(params.get("EXCLUDED_OPS_LIST")),
        excluded_nodes=_strip(params.get("EXCLUDED_NODE_LIST")),
        per_channel=bool(params.get("PER_CHANNEL_FLAG")),
        needs=_strip(zoo.get("NEEDS")),
        tags=(zoo.get("TAGS") or "").strip(),
        data=zoo.get("DATA"),
    )


def _make_error(place: str, what: str) -> BadInputError:
    return BadInputError("%s: %s" % (place, what), "compare it with config/models.json")


def _strip(texts: Optional[Sequence[str]]) -> Tuple[str, ...]:
    return tuple(text.strip() for text in texts or ())


def _read_words(params: Dict[str, Any], key: str, at: str) -> Tuple[str, ...]:
    """Each item is a piece of a command line: ``" --model-name=resnet50"`` and ``"--model-name resnet50"`` do."""
    return tuple(word for item in params.get(key) or () for word in _split(item, "%s, %s" % (at, key)))


def _with_place(params: Dict[str, Any], key: str, at: str) -> Tuple[str, ...]:
    """The words of an option that names a path, ``{}`` in them; none where it is not there."""
    if params.get(key) is None:
        return ()
    words = _split(params[key], "%s, %s" % (at, key))
    if not any("{}" in word for word in words):
        raise _make_error(at, "%s has no {} for the path: %s" % (key, json.dumps(params[key].strip())))
    return words


def _split(text: str, place: str) -> Tuple[str, ...]:
    try:
        return tuple(shlex.split(text.strip()))
    except ValueError as error:
        raise BadInputError(
            "%s is no command line: %s in %s" % (place, error, json.dumps(text.strip())),
            "compare it with config/models.json",
        ) from None
