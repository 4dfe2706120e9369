"""The report of a job, for people (HTML) and for programs (JSON)."""

from __future__ import annotations

import json
import os

import jinja2

from intel_quantization.report.chart import error_chart
from intel_quantization.report.markdown import render_markdown


def write_report(report: dict, html_path: str, json_path: str, markdown_path: str) -> None:
    """Write ``report``, made by ``report.content.build``, as one HTML file without references, JSON, and Markdown."""
    with open(markdown_path, "w", encoding="utf-8") as stream:
        stream.write(render_markdown(report))
    with open(json_path, "w", encoding="utf-8") as stream:
        json.dump(report, stream, indent=1, allow_nan=False)
        stream.write("\n")
    with open(html_path, "w", encoding="utf-8") as stream:
        stream.write(render(report))


def render(report: dict) -> str:
    """``report`` as HTML; every foreign text in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.path.dirname(os.path.abspath(__file__))),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bytes"] = _bytes
    chart = error_chart(report["blame"]["layers"]) if report["blame"] and report["blame"]["layers"] else None
    return environment.get_template("template.html").render(report=report, chart=chart)


def _bytes(size: int) -> str:
    if size < 1_000_000:
        return f"{size / 1e3:.1f} kB"
    return f"{size / 1e6:.1f} MB"
