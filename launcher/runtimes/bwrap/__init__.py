"""A local environment, but only behind its wall."""
