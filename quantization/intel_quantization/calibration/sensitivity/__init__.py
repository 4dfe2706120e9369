"""How much noise in a tensor comes through to what the graph is for: by gradients, from a few samples."""
