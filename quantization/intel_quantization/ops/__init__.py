"""What TensorFlow has: ops, attributes and kernels, of the running version and of others."""
