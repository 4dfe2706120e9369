"""What graphs are fed with: found, read, decoded, divided."""
