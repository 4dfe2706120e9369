"""Rules that refuse: each a predicate and its reason, asked in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Union


@dataclass(frozen=True)
class RefusalRule:
    """Keeps an op in FP32 where it applies.

    Attributes:
        applies: whether it does, to a case of the kind that its user defines.
        reason: what the report says; may depend on the case.
    """

    applies: Callable[[Any], bool]
    reason: Union[str, Callable[[Any], str]]


def find_reason(rules: Iterable[RefusalRule], case: Any) -> str:
    """The reason of the first rule that applies; empty where none does. Later rules may rely on earlier ones."""
    for rule in rules:
        if rule.applies(case):
            return rule.reason if isinstance(rule.reason, str) else rule.reason(case)
    return ""
