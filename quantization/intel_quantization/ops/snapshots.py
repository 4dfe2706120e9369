"""What TensorFlow versions that are not running have: their op and kernel registries, in ``snapshots.json``.

``tests/capabilities/snapshot.py`` writes that file, running in each of the versions. It maps an op to the
forms it had, each ``[first version, last version, attributes, kernels]``:

* an op that may become INT8, or that emission or an FP32 pass may add: attributes as
  ``{name: {"type": …, "default": …, "allowed": [types]}}``, and its CPU kernels as ``{type attribute: [types]}``;
* any other op: the names of its attributes, and no kernels.
"""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from typing import Any, Dict, List, Tuple

from tensorflow.core.framework import types_pb2

from intel_quantization.errors import BadInputError

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "snapshots.json")


class Snapshot:
    """One version's ops.

    Args:
        version: e.g. ``1.15.2``.
        ops: op -> (attributes, kernels), as in the file.
    """

    def __init__(self, version: str, ops: Dict[str, Tuple[Any, List[Dict[str, List[str]]]]]) -> None:
        self.version = version
        self.ops = ops

    def has_attr(self, op: str, attr: str) -> bool:
        """Whether an op exists and has an attribute."""
        return op in self.ops and attr in self.ops[op][0]

    def knows_kernels(self, op: str) -> bool:
        """Whether the kernels of an op were written down."""
        return op in self.ops and isinstance(self.ops[op][0], dict)

    def has_kernel(self, op: str, **types: int) -> bool:
        """Whether a CPU kernel of an op takes these types, as :func:`registry.has_kernel`.

        Raises:
            LookupError: the kernels of this op were not written down.
        """
        if op not in self.ops:
            return False
        if not self.knows_kernels(op):
            raise LookupError("the kernels of '%s' are in no snapshot: see tests/capabilities/snapshot.py" % op)
        attrs, kernels = self.ops[op]
        names = {attr: type_name(number) for attr, number in types.items()}
        if any(name not in attrs.get(attr, {}).get("allowed", (name,)) for attr, name in names.items()):
            return False
        return any(all(name in kernel.get(attr, (name,)) for attr, name in names.items()) for kernel in kernels)


def type_name(number: int) -> str:
    """How the file spells a DataType, e.g. ``quint8``."""
    return types_pb2.DataType.Name(number)[len("DT_") :].lower()


def order(version: str) -> Tuple[int, ...]:
    """A key that sorts versions."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


@lru_cache(maxsize=None)
def snapshots() -> Tuple[Snapshot, ...]:
    """All snapshots, the oldest version first."""
    with open(PATH, encoding="utf-8") as stream:
        return tuple(Snapshot(version, ops) for version, ops in expand(json.load(stream)).items())


def expand(content: Dict[str, Any]) -> Dict[str, Dict[str, Tuple[Any, Any]]]:
    """The file's content as version -> op -> (attributes, kernels)."""
    versions = sorted(content["versions"], key=order)
    result: Dict[str, Dict[str, Tuple[Any, Any]]] = {version: {} for version in versions}
    for op, forms in content["ops"].items():
        for first, last, attrs, kernels in forms:
            for version in versions[versions.index(first) : versions.index(last) + 1]:
                result[version][op] = (attrs, kernels)
    return result


def snapshots_from(target: str) -> Tuple[Snapshot, ...]:
    """The snapshots of a version and of all later ones.

    Args:
        target: a version, or the beginning of one: ``1.15`` is 1.15.2.

    Raises:
        BadInputError: there is no snapshot of that version.
    """
    everything = snapshots()
    for position, snapshot in enumerate(everything):
        if target.count(".") and (snapshot.version + ".").startswith(target + "."):
            return everything[position:]
    known = ", ".join(snapshot.version for snapshot in everything)
    raise BadInputError("target_tensorflow %s: nothing is known of that TensorFlow" % target, "known are " + known)
