"""Shapes of JSON: what events, reports and manifests are made of.

A shape is data. What reads it: the launcher's cleaning of foreign events, the docs' tables, and JSON Schemas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Tuple


@dataclass(frozen=True, repr=False, eq=False)
class Text:
    """A text of at most so many characters; what is longer is cut."""

    limit: int


@dataclass(frozen=True, repr=False, eq=False)
class Integer:
    """A whole number from 0."""


@dataclass(frozen=True, repr=False, eq=False)
class Number:
    """A number; what JSON cannot hold (infinite, not a number) is null."""


@dataclass(frozen=True, repr=False, eq=False)
class Boolean:
    """True or false."""


@dataclass(frozen=True, repr=False, eq=False)
class OneOf:
    """One of these texts."""

    choices: Tuple[str, ...]


@dataclass(frozen=True, repr=False, eq=False)
class Nullable:
    """A shape, or null, or not there."""

    of: Any


@dataclass(frozen=True, repr=False, eq=False)
class ListOf:
    """A list of at most so many; what is more is dropped."""

    of: Any
    limit: int


@dataclass(frozen=True, repr=False, eq=False)
class Object:
    """An object of these fields; others are dropped."""

    fields: Dict[str, Any]


@dataclass(frozen=True, repr=False, eq=False)
class Sizes:
    """The shape of a tensor: a size for each dimension, ``?`` where it may be any; null where nothing is known."""


@dataclass(frozen=True, repr=False, eq=False)
class Numbers:
    """An object of at most so many numbers by names that are not known beforehand."""

    limit: int


def schema_of(shape: Any) -> Dict[str, Any]:
    """The JSON Schema of a shape. Limits are not in it: what they cut, a program cannot rely on anyway."""
    if isinstance(shape, Text):
        return {"type": "string"}
    if isinstance(shape, Integer):
        return {"type": "integer", "minimum": 0}
    if isinstance(shape, Number):
        return {"type": "number"}
    if isinstance(shape, Boolean):
        return {"type": "boolean"}
    if isinstance(shape, OneOf):
        return {"enum": list(shape.choices)}
    if isinstance(shape, Nullable):
        return {"anyOf": [schema_of(shape.of), {"type": "null"}]}
    if isinstance(shape, ListOf):
        return {"type": "array", "items": schema_of(shape.of)}
    if isinstance(shape, Numbers):
        return {"type": "object", "additionalProperties": {"anyOf": [{"type": "number"}, {"type": "null"}]}}
    if isinstance(shape, Sizes):
        size = {"anyOf": [{"type": "integer"}, {"const": "?"}]}
        return {"anyOf": [{"type": "array", "items": size}, {"type": "null"}]}
    assert isinstance(shape, Object)
    return object_schema({key: schema_of(item) for key, item in shape.fields.items()}, required_keys(shape))


def required_keys(shape: Object) -> List[str]:
    """Those of an object's fields that may not be null."""
    return [key for key, item in shape.fields.items() if not isinstance(item, Nullable)]


def object_schema(properties: Dict[str, Any], required: Any) -> Dict[str, Any]:
    """The JSON Schema of an object; it may have other fields besides."""
    return {"type": "object", "properties": properties, "required": list(required)}
