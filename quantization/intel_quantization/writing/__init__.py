"""From an INT8 graph to the forms in which people serve graphs."""
