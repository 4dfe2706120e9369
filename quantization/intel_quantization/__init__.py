"""Makes INT8 graphs for oneDNN out of frozen FP32 TensorFlow graphs.

The public API is ``intel_quantization.graph_converter``; ``python -m intel_quantization --job JSON`` runs a whole job.
Importing this package does not import TensorFlow.
"""

__version__ = "2.0.0"
