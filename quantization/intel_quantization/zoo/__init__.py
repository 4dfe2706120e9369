"""The Intel Model Zoo: its own launch_benchmark.py calibrates, told what to do by a file of models."""
