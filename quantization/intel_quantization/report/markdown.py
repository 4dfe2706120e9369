"""The report in Markdown, short enough for a pull request."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Sequence

_MOST = 10
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#!~])")


def render_markdown(report: Dict[str, Any]) -> str:
    """Alarms, the verdict, figures, ops, and what to do about layers that lose.

    Args:
        report: as ``report.content.build_report`` makes it. Foreign text in it stays text.
    """
    lines = [f"## {_text(report['graphs']['int8'])}", ""]
    for alarm in report["alarms"]:
        word = "Alarm" if alarm["severity"] == "alarm" else "Notice"
        lines += [f"> **{word}:** {_text(alarm['what'])}. Try {_text(alarm['try'])}.", ""]
    lines += [f"**{_text(report['headline'])}**", ""]
    lines += _measures(report) + _ops(report) + _opportunities(report) + _tuning(report)
    provenance = report["provenance"]
    made = f"TensorFlow {provenance['tensorflow']}, {', '.join(provenance['cpu']) or 'no AVX'}"
    lines += [f"{_text(made)}; INT8 SHA-256 `{provenance['sha256']['int8']}`", ""]
    return "\n".join(lines)


def _measures(report: Dict[str, Any]) -> List[str]:
    found = (report["accuracy"] or {}).get("measures") or []
    rows = [
        (
            each["metric"],
            f"{each['fp32']:.2f}",
            f"{each['int8']:.2f}",
            f"{each['points']:+.2f} ({each['low']:+.2f} to {each['high']:+.2f})",
            str(each["samples"]),
        )
        for each in found
    ]
    return _table(("measure", "FP32", "INT8", "points lost (95 %)", report["accuracy"]["unit"]), rows) if rows else []


def _ops(report: Dict[str, Any]) -> List[str]:
    rows = [(row["op"], str(row["total"]), str(row["int8"]), str(row["fp32"])) for row in report["ops"]]
    return _table(("op", "total", "INT8", "FP32"), rows)


def _opportunities(report: Dict[str, Any]) -> List[str]:
    found = (report["blame"] or {}).get("opportunities") or []
    rows = [
        (
            ", ".join(each["nodes"]),
            each["cause"],
            "" if each["points"] is None else f"{each['points']:.2f}",
            f"{100 * each['share']:.1f} %",
            "" if each["given_back_ms"] is None else f"{each['given_back_ms']:.3f}",
        )
        for each in found[:_MOST]
    ]
    header = ("layers back in FP32", "cause", "points, about", "of the noise", "ms given back")
    return _table(header, rows) if rows else []


def _tuning(report: Dict[str, Any]) -> List[str]:
    found = report["tuning"]
    if found is None:
        return []
    lines = [_text(found["text"]), ""]
    if found["excluded_nodes"]:
        lines += [f"`--excluded_nodes {','.join(found['excluded_nodes'])}`".replace("\n", " "), ""]
    return lines


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> List[str]:
    lines = [header, ["---"] * len(header), *([_text(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def _text(text: str) -> str:
    shown = _MARKUP.sub(r"\\\1", " ".join(text.split()))
    # people look at it with cat, and a file's name may hold what a terminal obeys
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in shown)
