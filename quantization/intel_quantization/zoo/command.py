"""The words of a zoo model's calibration command."""

from __future__ import annotations

import os
import re
import sys
from typing import Dict, List, Optional, Sequence, Tuple

from intel_quantization.calibration.by_command.command import GRAPH
from intel_quantization.errors import BadInputError
from intel_quantization.zoo.config import Entry

# start.sh splits paths at spaces, and gives them to eval
_UNSAFE = re.compile(r"[^\w./@%+=:,-]")
_ADDED_BEFORE_DIRECT = "NOINSTALL=True"


def zoo_words(
    entry: Entry,
    zoo: str,
    data: Optional[str],
    sources: Optional[str],
    output_dir: str,
    *,
    threads: int,
    batch_size: Optional[int] = None,
) -> Tuple[str, ...]:
    """Program and arguments, with ``{}`` where the path of the graph is to be.

    What is added to the entry's own words keeps the zoo from installing packages, writing into its tree, and
    wanting tcmalloc, and limits its threads; an option that the entry has itself is left as it is. But
    ``--socket-id`` is left out: it wants numactl, and rights that a container does not give.

    Args:
        entry: the model.
        zoo: the checkout.
        data: the data set, for entries that name one.
        sources: sources of models, for entries that name them.
        output_dir: where the zoo writes its logs.
        threads: threads within an op.
        batch_size: takes the place of the entry's.

    Raises:
        BadInputError: something that the entry needs is missing, of the wrong kind, or has a path that the zoo's
            shell script would take apart.
    """
    words = [sys.executable, os.path.join(os.path.realpath(zoo), entry.script), *entry.command]
    _remove_option(words, ("-i", "--socket-id"))
    if batch_size is not None:
        _set_option(words, ("-b", "--batch-size"), "--batch-size", str(batch_size))
    words += _fill(entry.in_graph, GRAPH)
    if entry.data_location:
        words += _fill(entry.data_location, _choose_data(entry, data))
    if entry.model_source_dir:
        if sources is None:
            raise BadInputError(
                "the zoo model %s needs sources of TensorFlow models" % entry.name,
                "add --models_source_dir DIR, a checkout of tensorflow/models as the model's README in the zoo says",
            )
        words += _fill(entry.model_source_dir, sources)
    for names, value in (
        (("--output-dir",), output_dir),
        (("--disable-tcmalloc",), "True"),
        (("--num-intra-threads", "-a"), str(threads)),
        (("--num-inter-threads", "-e"), "1"),
    ):
        if _find_option(words, names) is None:
            words += [names[0], value]
    for path in words[:2] + [output_dir] + [path for path in (data, sources) if path is not None]:
        _check(path)
    return tuple(words + [_ADDED_BEFORE_DIRECT] + list(entry.direct))


def env_words(variables: Dict[str, str], words: Sequence[str]) -> Tuple[str, ...]:
    """A command that has these environment variables, too."""
    return ("env",) + tuple("%s=%s" % item for item in sorted(variables.items())) + tuple(words)


def _fill(words: Sequence[str], path: str) -> List[str]:
    return [word.replace("{}", path) for word in words]


def _choose_data(entry: Entry, data: Optional[str]) -> str:
    if data is None:
        raise BadInputError("the zoo model %s needs data" % entry.name, "add --data_location PATH")
    if entry.data == "folder" and not os.path.isdir(data):
        raise BadInputError(
            "the zoo model %s reads a folder of TFRecords, and %s is a file" % (entry.name, data),
            "name the folder as --data_location",
        )
    if entry.data == "file" and os.path.isdir(data):
        raise BadInputError(
            "the zoo model %s reads one TFRecord file, and %s is a folder" % (entry.name, data),
            "name the file as --data_location",
        )
    if entry.data == "folder" and not any(name.startswith("validation-") for name in os.listdir(data)):
        if not entry.model_source_dir:
            raise BadInputError(
                "%s has no files validation-*-of-*, which the zoo model %s reads" % (data, entry.name),
                "give it ImageNet's TFRecords, or leave out --model_name to calibrate on images",
            )
    return data


def _check(path: str) -> None:
    found = _UNSAFE.search(path)
    if found:
        raise BadInputError(
            "the zoo's shell scripts cannot take the path %s: it has %r in it" % (path, found.group()),
            "use a place whose path has letters, digits and ./_- only",
        )


def _find_option(words: Sequence[str], names: Sequence[str]) -> Optional[int]:
    for number, word in enumerate(words):
        if word in names or (word.split("=", 1)[0] in names and word.startswith("--")):
            return number
    return None


def _remove_option(words: List[str], names: Sequence[str]) -> None:
    number = _find_option(words, names)
    if number is not None:
        del words[number : number + (1 if "=" in words[number] else 2)]


def _set_option(words: List[str], names: Sequence[str], name: str, value: str) -> None:
    number = _find_option(words, names)
    if number is None:
        words += [name, value]
    elif "=" in words[number]:
        words[number] = "%s=%s" % (words[number].split("=", 1)[0], value)
    elif number + 1 < len(words):
        words[number + 1] = value
