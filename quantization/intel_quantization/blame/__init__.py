"""Which layer loses how much in INT8, why, what it gains in time, and what to do about it."""
