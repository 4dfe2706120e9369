"""The command that makes the same graph again."""

from __future__ import annotations

import shlex
from typing import Any, List, Mapping

from intel_quantization.contract.option import options_of
from intel_quantization.contract.options import JobOptions


def command_of(report: Mapping[str, Any]) -> str:
    """What to type, with all options that are not as by default; of paths, the file's name.

    Args:
        report: of which graphs, calibration and options are read.
    """
    words: List[str] = ["launch_quantization", "--in_graph", report["graphs"]["fp32"]]
    given = report["options"]
    if not report["calibration"].get("command"):
        words += ["--data_location", "DATA"]
    for option in options_of(JobOptions):
        value = given.get(option.name)
        if option.name == "task" or value is None or value == option.default or value in ((), []):
            continue
        if value is True and option.value.is_flag:
            words.append(f"--{option.name}")
        else:
            words += [f"--{option.name}", _text(value)]
    return " ".join(map(shlex.quote, words))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
