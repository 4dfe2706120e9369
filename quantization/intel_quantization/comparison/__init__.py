"""FP32 against INT8, output by output, each compared as what it is, with a verdict and what to try.

``recognise`` tells what an output is; one module for each kind compares it; ``thresholds`` says when a difference is
too large, and why there; ``comparison`` brings them together.
"""
