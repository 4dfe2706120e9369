"""From concerns to what the user is told: what is wrong, and what to try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Sequence

from intel_quantization.comparison.findings import ALARM, FP32, INT8, LABELS, NOTICE, Concern, Findings

NOT_COMPARED = Concern(
    NOTICE,
    INT8,
    "INT8 was not compared with FP32, as there was nothing to compare on: nobody knows whether it does the same",
    0.0,
    1.0,
    "samples",
    "--data_location with images or arrays beside those that calibrate",
)
_MOST = 20


@dataclass(frozen=True)
class Settings:
    """What of the run decides what there is left to try.

    Attributes:
        algorithm: by which it was calibrated, and others: the names of all there are.
        samples: how many calibrated.
        per_channel, equalize: as the options.
        preprocess: the mode; None where the data are fed as they are.
        preprocess_chosen: whether it was chosen by the program.
    """

    algorithm: str
    algorithms: tuple[str, ...]
    samples: int
    per_channel: bool
    equalize: bool
    preprocess: str | None
    preprocess_chosen: bool


def alarms_of(findings: Iterable[Findings], others: Sequence[Concern], settings: Settings) -> list[dict[str, Any]]:
    """All concerns as JSON-ready alarms, the worst first: severity, output, what, measured, threshold, unit, try.

    Args:
        findings: of the outputs.
        others: concerns that are no single output's.
    """
    found: dict[Concern, list[str]] = {concern: [] for concern in others}
    for each in findings:
        for concern in each.concerns:
            # class scores and the ArgMax of them say the same
            found.setdefault(concern, []).extend(each.outputs)
    order = sorted(found, key=lambda concern: (concern.severity != ALARM, concern.cause == INT8))
    return [_make_alarm(concern, ", ".join(found[concern]), settings) for concern in order[:_MOST]]


def _make_alarm(concern: Concern, output: str, settings: Settings) -> dict[str, Any]:
    return {
        "severity": concern.severity,
        "output": output,
        "what": concern.what,
        "measured": concern.measured,
        "threshold": concern.threshold,
        "unit": concern.unit,
        "try": concern.remedy or _REMEDIES[concern.cause](settings),
    }


def _quantize_otherwise(settings: Settings) -> str:
    """Cheapest first."""
    tries = []
    if not settings.per_channel:
        tries.append("--per_channel true")
    others = [name for name in settings.algorithms if name != settings.algorithm]
    first = [name for name in ("AUTO", "DIRECT") if name in others] or others
    tries.append(f"--algo {first[0]}")
    if settings.equalize:
        tries.append("--equalize false")
    tries.append(f"more --samples than {settings.samples}")
    text = "{}; or keep the layers that suffer in FP32 with --excluded_nodes, the first and the last ones first"
    return text.format(", ".join(tries)) + _preprocess_too(settings)


def _preprocess_too(settings: Settings) -> str:
    return "" if settings.preprocess is None else f"; and see that --preprocess {settings.preprocess} is right"


def _preprocess_otherwise(settings: Settings) -> str:
    if settings.preprocess is None:
        return "feed the values that the FP32 graph was trained on: scale, mean and order of channels"
    how = "chosen here" if settings.preprocess_chosen else "as given"
    return f"another --preprocess than {settings.preprocess}, {how}: the one that the network was trained with"


def _label_otherwise(settings: Settings) -> str:
    return f"check how --labels or the class folders number the classes; then {_preprocess_otherwise(settings)}"


_REMEDIES = {INT8: _quantize_otherwise, FP32: _preprocess_otherwise, LABELS: _label_otherwise}
