"""Spelling of tensor names."""

from __future__ import annotations

import pytest

from intel_quantization.graph import tensors

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("name", "node", "canonical", "control"),
    [
        ("a", "a", "a", False),
        ("a:0", "a", "a", False),
        ("a/b:12", "a/b", "a/b:12", False),
        ("^a/b", "a/b", "^a/b", True),
    ],
)
def test_spellings(name, node, canonical, control):
    assert tensors.node_of(name) == node
    assert tensors.canonical(name) == canonical
    assert tensors.is_control(name) is control


def test_split():
    assert tensors.split("a") == ("a", 0)
    assert tensors.split("a:3") == ("a", 3)
    with pytest.raises(ValueError, match="invalid literal"):
        tensors.split("a:b")
