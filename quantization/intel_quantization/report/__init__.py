"""The report of a job, for people (HTML) and for programs (JSON)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any, Optional, Sequence

import jinja2
from markupsafe import Markup

from intel_quantization.report.chart import error_chart
from intel_quantization.report.command import command_of
from intel_quantization.report.markdown import render_markdown
from intel_quantization.report.range_chart import range_chart
from intel_quantization.report.tradeoff import tradeoff

SECTIONS = (
    "verdict",
    "cards",
    "opportunities",
    "accuracy",
    "samples",
    "latency",
    "tradeoff",
    "tuning",
    "ops",
    "reasons",
    "time",
    "error",
    "ranges",
    "graph",
    "interface",
    "provenance",
)
"""Each a file in ``sections/``, in their order; one that has nothing to say is empty."""


def write_report(
    report: dict[str, Any], html_path: str, json_path: str, markdown_path: str, pictures: Sequence[Optional[bytes]] = ()
) -> None:
    """Write a report, made by ``report.content.build_report``, as one HTML file without references, JSON, and Markdown.

    Args:
        report: as above.
        html_path, json_path, markdown_path: files.
        pictures: JPEG of each of the report's samples, or None; only the page has them.
    """
    with open(markdown_path, "w", encoding="utf-8") as stream:
        stream.write(render_markdown(report))
    with open(json_path, "w", encoding="utf-8") as stream:
        json.dump(report, stream, indent=1, allow_nan=False)
        stream.write("\n")
    with open(html_path, "w", encoding="utf-8") as stream:
        stream.write(render(report, pictures))


def render(report: dict[str, Any], pictures: Sequence[Optional[bytes]] = ()) -> str:
    """``report`` as HTML; every foreign text in it is escaped, and the one script that may run is known by its hash."""
    here = os.path.dirname(os.path.abspath(__file__))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bytes"] = _bytes
    with open(os.path.join(here, "page.js"), encoding="utf-8") as stream:
        script = stream.read()
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    known = [base64.b64encode(each).decode("ascii") if each else "" for each in pictures]
    return environment.get_template("template.html").render(
        report=report,
        sections=[f"sections/{name}.html" for name in SECTIONS],
        chart=error_chart(report["blame"]["layers"]) if report["blame"] and report["blame"]["layers"] else None,
        command=command_of(report),
        tradeoff=tradeoff(report),
        ranges=[range_chart(tensor) for tensor in report["tensors"]],
        pictures=known + [""] * (len(report["samples"]) - len(known)),
        data=Markup(as_script_data(report)),
        script=Markup(script),
        script_digest=f"sha256-{digest}",
    )


def as_script_data(report: dict[str, Any]) -> str:
    """JSON that stays inside of a ``<script>``, whatever texts it holds."""
    text = json.dumps(report, allow_nan=False, separators=(",", ":"))  # ASCII, so without U+2028, too
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _bytes(size: int) -> str:
    if size < 1_000_000:
        return f"{size / 1e3:.1f} kB"
    return f"{size / 1e6:.1f} MB"
