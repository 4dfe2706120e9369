"""Choosing the preprocessing of images: the evidence, one kind a module, and the verdict."""
