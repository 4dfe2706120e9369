"""Rules that refuse are asked in their order, and later ones may rely on earlier ones."""

from __future__ import annotations

from intel_quantization.kinds.rules import RefusalRule, find_reason

RULES = (
    RefusalRule(lambda case: case is None, "there is nothing"),
    RefusalRule(lambda case: len(case) > 2, lambda case: "%d are too many" % len(case)),
    RefusalRule(lambda case: "b" in case, "a b"),
)


def test_the_first_that_applies_tells():
    assert find_reason(RULES, None) == "there is nothing"
    assert find_reason(RULES, "abc") == "3 are too many"
    assert find_reason(RULES, "ab") == "a b"
    assert find_reason(RULES, "a") == ""
    assert find_reason((), None) == ""
