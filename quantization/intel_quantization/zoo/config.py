"""The file of zoo models, ``config/models.json``: the schema of intel-quantization 1.1, and one key more.

The key ``MODEL_ZOO``, which may be left out, says for which checkouts of the zoo an entry is: ``NEEDS``, files
that such a checkout has, ``TAGS``, for people, and ``DATA``, whether the script wants a ``folder`` or a ``file``.
A name may have several entries; the first one whose files are there counts.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import intel_quantization
from intel_quantization.errors import BadInputError

NAME = "MODEL_NAME"
BENCHMARK = "LAUNCH_BENCHMARK_PARAMS"
CONVERTER = "QUANTIZE_GRAPH_CONVERTER_PARAMS"
ZOO = "MODEL_ZOO"
DATA_KINDS = ("folder", "file")

_SCRIPT = "LAUNCH_BENCHMARK_SCRIPT"
_COMMAND = "LAUNCH_BENCHMARK_CMD"
_DIRECT = "DIRECT_PASS_PARAMS_TO_MODEL"
_ONE_VALUE = ("IN_GRAPH", "DATA_LOCATION", "MODEL_SOURCE_DIR")
_LISTS = ("INPUT_NODE_LIST", "OUTPUT_NODE_LIST", "EXCLUDED_OPS_LIST", "EXCLUDED_NODE_LIST")
_PER_CHANNEL = "PER_CHANNEL_FLAG"


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
    return [_entry(item, _Place(path, "entry %d" % number)) for number, item in enumerate(content, 1)]


class _Place:
    """Where in which file a value is, for messages."""

    def __init__(self, path: str, where: str) -> None:
        self.path = path
        self.where = where

    def within(self, key: str) -> _Place:
        return _Place(self.path, "%s, %s" % (self.where, key))

    def error(self, what: str) -> BadInputError:
        return BadInputError("%s: %s %s" % (self.path, self.where, what), "compare it with config/models.json")


def _entry(item: Any, place: _Place) -> Entry:
    _known(item, (NAME, BENCHMARK, CONVERTER, ZOO), place)
    name = _text(_required(item, NAME, place), place.within(NAME))
    place = _Place(place.path, name)
    benchmark = _required(item, BENCHMARK, place)
    at = place.within(BENCHMARK)
    _known(benchmark, (_SCRIPT, _COMMAND, _DIRECT) + _ONE_VALUE, at)
    script = _text(_required(benchmark, _SCRIPT, at), at.within(_SCRIPT))
    if os.path.isabs(script) or ".." in script.split("/"):
        raise at.within(_SCRIPT).error("is not a path within the zoo: %s" % script)
    _required(benchmark, "IN_GRAPH", at)
    words = {key: _with_place(benchmark[key], at.within(key)) for key in _ONE_VALUE if key in benchmark}
    params = _required(item, CONVERTER, place)
    in_params = place.within(CONVERTER)
    _known(params, _LISTS + (_PER_CHANNEL,), in_params)
    lists = {key: _texts(params[key], in_params.within(key)) if key in params else () for key in _LISTS}
    per_channel = params.get(_PER_CHANNEL, False)
    if not isinstance(per_channel, bool):
        raise in_params.within(_PER_CHANNEL).error("is not true or false, but %s" % json.dumps(per_channel))
    zoo = item.get(ZOO, {})
    in_zoo = place.within(ZOO)
    _known(zoo, ("NEEDS", "TAGS", "DATA"), in_zoo)
    data = zoo.get("DATA")
    if data is not None and data not in DATA_KINDS:
        raise in_zoo.within("DATA").error("is not one of %s, but %s" % (", ".join(DATA_KINDS), json.dumps(data)))
    return Entry(
        name=name,
        script=script,
        command=_words(_required(benchmark, _COMMAND, at), at.within(_COMMAND)),
        in_graph=words["IN_GRAPH"],
        data_location=words.get("DATA_LOCATION", ()),
        model_source_dir=words.get("MODEL_SOURCE_DIR", ()),
        direct=_words(benchmark.get(_DIRECT, []), at.within(_DIRECT)),
        inputs=lists["INPUT_NODE_LIST"],
        outputs=lists["OUTPUT_NODE_LIST"],
        excluded_ops=lists["EXCLUDED_OPS_LIST"],
        excluded_nodes=lists["EXCLUDED_NODE_LIST"],
        per_channel=per_channel,
        needs=_texts(zoo["NEEDS"], in_zoo.within("NEEDS")) if "NEEDS" in zoo else (),
        tags=_text(zoo["TAGS"], in_zoo.within("TAGS")) if "TAGS" in zoo else "",
        data=data,
    )


def _known(item: Any, keys: Sequence[str], place: _Place) -> None:
    if not isinstance(item, dict):
        raise place.error("is not an object")
    unknown = sorted(set(item) - set(keys))
    if unknown:
        raise place.error("has unknown keys: %s; there are %s" % (", ".join(unknown), ", ".join(keys)))


def _required(item: Dict[str, Any], key: str, place: _Place) -> Any:
    if key not in item:
        raise place.error("has no %s" % key)
    return item[key]


def _text(value: Any, place: _Place) -> str:
    if not isinstance(value, str) or not value.strip():
        raise place.error("is not a text, but %s" % json.dumps(value))
    return value.strip()


def _texts(value: Any, place: _Place) -> Tuple[str, ...]:
    if not isinstance(value, list):
        raise place.error("is not a list, but %s" % json.dumps(value))
    return tuple(_text(item, place) for item in value)


def _words(value: Any, place: _Place) -> Tuple[str, ...]:
    """Each item is a piece of a command line: ``" --model-name=resnet50"`` and ``"--model-name resnet50"`` do."""
    return tuple(word for item in _texts(value, place) for word in _split(item, place))


def _with_place(value: Any, place: _Place) -> Tuple[str, ...]:
    words = _split(_text(value, place), place)
    if not any("{}" in word for word in words):
        raise place.error("has no {} for the path: %s" % json.dumps(value))
    return words


def _split(text: str, place: _Place) -> Tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise place.error("is no command line: %s in %s" % (error, json.dumps(text))) from None
