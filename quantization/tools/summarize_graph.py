"""Where intel-quantization 1.1 had its summarize_graph.py: the same tool as the command ``summarize_graph``."""

from __future__ import annotations

import sys

from intel_quantization.tools.summarize_graph import SummarizeGraph, main

__all__ = ["SummarizeGraph", "main"]

if __name__ == "__main__":
    sys.exit(main())
