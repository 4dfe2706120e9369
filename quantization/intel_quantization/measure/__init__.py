"""How good both graphs are on the same labelled samples: a figure of each, and their difference with its interval."""
