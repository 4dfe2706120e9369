"""Calibration: collectors in the FP32 graph, feeds, and the statistics that they leave."""
