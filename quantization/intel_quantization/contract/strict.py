"""Strict reading of JSON by its shape: the first thing that is wrong is told with its place, nothing is dropped."""

from __future__ import annotations

import json
from typing import Any, Optional

from .shapes import Boolean, ListOf, Nullable, Object, OneOf, Text, required_keys


def find_complaint(value: Any, shape: Any, where: str) -> Optional[str]:
    """What is wrong with a value, in one line that begins with its place; None where nothing is.

    Args:
        value: what a JSON parser gave.
        shape: made of Object, ListOf, Nullable, Text, Boolean and OneOf.
        where: what the place of the value is called.
    """
    if isinstance(shape, Nullable):
        return None if value is None else find_complaint(value, shape.of, where)
    if isinstance(shape, Object):
        return _look_into_object(value, shape, where)
    if isinstance(shape, ListOf):
        if not isinstance(value, list):
            return _say(where, "a list", value)
        return _first(find_complaint(item, shape.of, where) for item in value)
    if isinstance(shape, OneOf):
        return None if value in shape.choices else _say(where, "one of %s" % ", ".join(shape.choices), value)
    if isinstance(shape, Boolean):
        return None if isinstance(value, bool) else _say(where, "true or false", value)
    assert isinstance(shape, Text)
    return None if isinstance(value, str) and value.strip() else _say(where, "a text", value)


def _look_into_object(value: Any, shape: Object, where: str) -> Optional[str]:
    if not isinstance(value, dict):
        return "%s is not an object" % where
    unknown = sorted(set(value) - set(shape.fields))
    if unknown:
        return "%s has unknown keys: %s; there are %s" % (where, ", ".join(unknown), ", ".join(shape.fields))
    missing = [key for key in required_keys(shape) if key not in value]
    if missing:
        return "%s has no %s" % (where, missing[0])
    inner = ((key, find_complaint(value[key], shape.fields[key], "%s, %s" % (where, key))) for key in value)
    return _first(complaint for _key, complaint in inner)


def _first(complaints: Any) -> Optional[str]:
    return next((complaint for complaint in complaints if complaint is not None), None)


def _say(where: str, what: str, value: Any) -> str:
    return "%s is not %s, but %s" % (where, what, json.dumps(value))
