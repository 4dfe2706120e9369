"""A report as data, and what reads its page."""

from __future__ import annotations

import html.parser

TUNING = {
    "text": "--tune: 1 layers back in FP32: top-1 lost 3.00 -> 0.80 points",
    "goal": 1.0,
    "metric": "top-1",
    "before": {"points": 3.0, "low": 1.0, "high": 5.0, "ms": 12.5, "failed": ""},
    "met": True,
    "excluded_nodes": ["conv1/Conv2D"],
    "ranges": [],
    "evaluations": [
        {
            "excluded_nodes": ["conv1/Conv2D"],
            "free_moves": True,
            "points": 0.8,
            "low": -0.3,
            "high": 1.9,
            "ms": 13.25,
            "failed": "",
        },
        {"excluded_nodes": [], "free_moves": False, "points": 0, "low": 0, "high": 0, "ms": 0, "failed": "<died>"},
    ],
}

BLAME = {
    "samples": 16,
    "layers": [
        {
            "node": f"conv<{number}>",
            "local_db": 40.0 - number,
            "accumulated_db": 38.0 - 2 * number,
            "cause": "weights",
            "detail": "most of its error comes from rounding its weights to 8 bits",
            "share": 0.25,
            "fp32_ms": 2.0,
            "int8_ms": 1.0 + number,
        }
        for number in range(4)
    ],
    "suspects": [],
    "opportunities": [
        {
            "nodes": ["conv<1>", "conv<2>"],
            "op": "Conv2D",
            "cause": "clipped",
            "detail": "3 % of the values of relu|1 lie outside of its range",
            "try": "--algo DIRECT",
            "excluded_nodes": "conv<1>,conv<2>",
            "share": 0.5,
            "points": 0.4,
            "local_db": 12.0,
            "accumulated_db": 11.0,
            "fp32_ms": 2.0,
            "int8_ms": 1.0,
            "given_back_ms": 1.125,
        }
    ],
    "time": {
        "ops": [
            {"op": "Conv2D", "fp32_ms": 8.0, "int8_ms": 4.0, "left_ms": 0.0},
            {"op": "Softmax", "fp32_ms": 1.0, "int8_ms": 0.0, "left_ms": 0.5},
        ],
        "fp32_ms": 9.0,
        "int8_ms": 4.5,
        "left_ms": 0.5,
        "limit": 18.0,
    },
}

TENSOR = {
    "tensor": "relu<1>",
    "readers": ["conv<2>"],
    "minimum": 0.0,
    "maximum": 6.0,
    "low": 0.0,
    "high": 3.0,
    "by_channel": False,
    "unsigned": True,
    "counts": [100, 50, 10, 1],
}

SAMPLE = {"name": "<cat>.png", "noise": 0.125, "other": True, "fp32": "3 (0.50)", "int8": "4 (0.40)", "label": 3}


def box(node, x, y, **more):
    """A box of the graph's picture."""
    known = {"local_db": 30.0, "accumulated_db": 20.0, "fp32_ms": 2.0, "int8_ms": 1.0}
    return {"node": node, "op": "Conv2D", "more": 2, "precision": "int8", "x": x, "y": y, **known, **more}


GRAPH = {
    "boxes": [box("conv<0>", 0.0, 0), box("conv<1>", 0.0, 1), box("soft", 0.0, 2, precision="fp32", local_db=None)],
    "edges": [{"from": 0, "to": 1, "passes": []}, {"from": 0, "to": 2, "passes": [0.75]}],
}

REPORT = {
    "headline": "INT8 loses 0.80 points of top-1; 3.20 times as fast.",
    "verdict": None,
    "blame": None,
    "tuning": None,
    "samples": [],
    "tensors": [],
    "graph": None,
    "alarms": [],
    "schema": 1,
    "created": "2026-01-02 03:04:05 UTC",
    "graphs": {"fp32": "net.pb", "int8": "net_int8.pb"},
    "size": {"fp32": 100_000_000, "int8": 26_000_000},
    "inputs": [{"name": "input:0", "dtype": "float32", "shape": ["?", 224, 224, 3]}],
    "outputs": [{"name": "softmax:0", "dtype": "float32", "shape": None}],
    "ops": [
        {"op": "Conv2D", "total": 53, "int8": 52, "fp32": 1},
        {"op": "MatMul", "total": 1, "int8": 1, "fp32": 0},
    ],
    "reasons": [{"node": "conv1/Conv2D", "op": "Conv2D", "reason": "its input is <signed>"}],
    "others": [{"op": "Softmax", "reason": "Softmax has no INT8 form", "count": 2, "nodes": ["a", "b"]}],
    "accuracy": {
        "images": 500,
        "unit": "images",
        "labelled": True,
        "top1_fp32": 82.4,
        "top1_int8": 81.6,
        "agreement": 95.25,
        "sqnr_db": 17.25,
        "drop": {"points": 0.8, "low": -0.3, "high": 1.9},
        "measures": [],
        "outputs": [
            {
                "outputs": ["softmax:0"],
                "kind": "scores",
                "samples": 500,
                "verdict": "fine",
                "text": "same answer 95.25 %, SQNR 17.2 dB",
                "figures": {"agreement": 95.25},
            }
        ],
    },
    "not_measured": "",
    "latency": {"batch": 1, "fp32_ms": 40.0, "int8_ms": 12.5, "speedup": 3.2, "runs": 100},
    "calibration": {
        "samples": 100,
        "unit": "images",
        "function": None,
        "algorithm": "MSE",
        "preprocess": "vgg",
        "preprocess_chosen": True,
        "batch_size": 8,
        "seed": 0,
    },
    "options": {"per_channel": True, "excluded_ops": (), "excluded_nodes": ("a", "b"), "samples": None},
    "provenance": {
        "version": "2.0.0",
        "tensorflow": "2.14.0",
        "python": "3.11.7",
        "numpy": "1.26.4",
        "cpu": ["avx2", "avx512_vnni"],
        "onednn": True,
        "threads": 1,
        "platform": "Linux",
        "made_for": ["1.15.2", "2.14.0"],
        "sha256": {"fp32": "ab" * 32, "int8": "cd" * 32},
    },
}


class Reader(html.parser.HTMLParser):
    """Collects the text of a page, its tables' rows, and whatever would load something."""

    def __init__(self, page):
        super().__init__()
        self.text, self.rows, self.loads, self.tags, self.scripts = "", [], [], set(), 0
        self._style = self._cell = False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.scripts += tag == "script"
        self._style = tag in ("style", "script")
        self._cell = tag in ("td", "th") or (self._cell and tag == "code")
        self.loads += [value for name, value in attributes if name in ("src", "href", "action")]
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        self._style = False
        self._cell = self._cell and tag == "code"

    def handle_data(self, data):
        if self._style:
            return  # neither style nor scripts are text
        self.text += data
        if self._cell and data.strip():
            self.rows[-1].append(data.strip())
