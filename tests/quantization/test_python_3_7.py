"""The package runs on Python 3.7, as TensorFlow 1.15 needs it: what later ones brought is not used.

``make test-variants`` runs it there; this sees it anywhere.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import intel_quantization

ROOT = Path(intel_quantization.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# What 3.8 and newer have, of what one might reach for.
NEWER = {
    "typing": {"Final", "Literal", "Protocol", "SupportsIndex", "TypedDict", "final", "get_args", "get_origin"}
    | {"Annotated", "Concatenate", "ParamSpec", "Self", "TypeAlias", "TypeGuard", "override", "runtime_checkable"},
    "functools": {"cache", "cached_property", "singledispatchmethod"},
    "math": {"cbrt", "comb", "dist", "isqrt", "lcm", "perm", "prod"},
    "statistics": {"NormalDist", "fmean", "geometric_mean", "multimode", "quantiles"},
    "itertools": {"batched", "pairwise"},
    "shlex": {"join"},
    "importlib": {"metadata", "resources"},
}
ATTRIBUTES = {"removeprefix", "removesuffix", "is_relative_to", "with_stem", "bit_count", "unparse"}


def later_than_3_7(tree: ast.AST) -> list[str]:
    """What of a module Python 3.7 lacks, with the line."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names} & NEWER.get(node.module or "", set())
            found += ["%d: %s.%s" % (node.lineno, node.module, name) for name in sorted(names)]
        elif isinstance(node, ast.Attribute):
            module = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in ATTRIBUTES or node.attr in NEWER.get(module, set()):
                found.append("%d: %s" % (node.lineno, node.attr))
        elif isinstance(node, ast.Call) and any(keyword.arg == "dirs_exist_ok" for keyword in node.keywords):
            found.append("%d: dirs_exist_ok" % node.lineno)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_newer(path):
    assert not later_than_3_7(ast.parse(path.read_text("utf-8"), feature_version=(3, 7)))


@pytest.mark.parametrize(
    "text",
    ["from typing import Protocol", "import math\nmath.prod([1])", "'a'.removeprefix('a')", "f(dirs_exist_ok=True)"],
)
def test_what_is_newer_is_seen(text):
    assert later_than_3_7(ast.parse(text))


def test_newer_syntax_is_seen():
    with pytest.raises(SyntaxError):
        ast.parse("print(x := 1)", feature_version=(3, 7))
