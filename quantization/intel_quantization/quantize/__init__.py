"""INT8: what becomes INT8 and why the rest does not (plan), and the oneDNN ops for it (emission)."""
