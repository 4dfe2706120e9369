"""Where intel-quantization 1.1 had its summarize_graph.py: the same tool as the command ``summarize_graph``."""

from __future__ import annotations

import os
import sys

# 1.1's file stood alone: in a checkout the package lies beside this folder, and nobody has put it on the path.
_BESIDE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
if os.path.isdir(os.path.join(_BESIDE, "intel_quantization")):
    sys.path.insert(0, _BESIDE)

from intel_quantization.tools.summarize_graph import SummarizeGraph, main  # noqa: E402

__all__ = ["SummarizeGraph", "main"]

if __name__ == "__main__":
    sys.exit(main())
