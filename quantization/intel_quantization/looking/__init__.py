"""Looking at any one or two graphs, ours or not: how good, how fast, and what tells them apart."""
