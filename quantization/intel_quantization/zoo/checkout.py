"""A checkout of the Model Zoo: how old it is, and which entry of a model is for it."""

from __future__ import annotations

import os
from typing import List, Sequence

from intel_quantization.contract.nearest import did_you_mean
from intel_quantization.errors import BadInputError
from intel_quantization.zoo.config import Entry

BENCHMARKS = "benchmarks/launch_benchmark.py"


def generation(zoo: str) -> str:
    """Of which tags a checkout is, by what its launch_benchmark.py knows; empty where there is none.

    ``--noinstall`` came with v1.6.1; since v2.7.0, arguments for the model become variables in upper case.
    """
    try:
        with open(os.path.join(zoo, BENCHMARKS), encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return ""
    if "--noinstall" not in text:
        return "before v1.6.1"
    return "v2.7.0 or later" if "split_arg[0].upper()" in text else "v1.6.1 to v2.6.2"


def choose_entry(entries: Sequence[Entry], name: str, zoo: str) -> Entry:
    """The entry of a model that is for this checkout.

    Raises:
        BadInputError: there is no such model, or this checkout lacks it; the remedy says which tags have it.
    """
    named = [entry for entry in entries if entry.name == name]
    if not named:
        raise _tell_unknown(entries, name)
    for entry in named:
        if not _list_missing(entry, zoo):
            return entry
    scripts = sorted({entry.script for entry in named})
    if not any(os.path.isfile(os.path.join(zoo, script)) for script in scripts):
        raise BadInputError(
            "%s is no checkout of the Model Zoo: it has no %s" % (zoo, scripts[0]),
            "name the folder that has benchmarks/ and models/ in it",
        )
    tags = [entry.tags for entry in named if entry.tags]
    found = generation(zoo)
    what = "this checkout of the Model Zoo" + (" (%s)" % found if found else "")
    raise BadInputError(
        "%s has no %s: %s is not there" % (what, name, _list_missing(named[-1], zoo)[0]),
        "check out a tag that has it: %s" % ", or ".join(tags) if tags else "check --models_zoo",
    )


def _list_missing(entry: Entry, zoo: str) -> List[str]:
    return [path for path in (entry.script,) + entry.needs if not os.path.exists(os.path.join(zoo, path))]


def _tell_unknown(entries: Sequence[Entry], name: str) -> BadInputError:
    names = list(dict.fromkeys(entry.name for entry in entries))
    remedy = "%s there are %s" % (did_you_mean(name, names), ", ".join(names))
    return BadInputError("there is no zoo model '%s'" % name, remedy.lstrip())
