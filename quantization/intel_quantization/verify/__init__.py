"""What must hold of a graph: at any time, of its INT8 ranges, and for the TensorFlow that it is made for."""
