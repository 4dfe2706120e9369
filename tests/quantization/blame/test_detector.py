"""Blame of a graph that ends in loops and suppression, through which no gradient passes."""

from __future__ import annotations

import numpy as np

from intel_quantization.blame.blame import find_blame
from intel_quantization.graph_converter import GraphConverter
from intel_quantization.quantize.quantize_graph import Options
from tests.quantization.builders import build
from tests.quantization.nets.detector import detector

PLAIN = Options(algo="DIRECT", equalize=False, adaptive_rounding=False)


def test_blame_of_a_detector_has_its_damage():
    rng = np.random.RandomState(0)
    feeds = [{"input:0": rng.normal(0, 1, (1, 8, 8, 4)).astype(np.float32)} for _ in range(4)]
    conversion = GraphConverter(
        build(detector), calibration_data=feeds, algo="DIRECT", equalize=False, adaptive_rounding=False
    ).convert()
    assert conversion.layers
    found = find_blame(conversion, PLAIN, feeds, 4, threads=1)
    assert all(error.damage is not None and error.damage > 0 for error in found.errors.values())
