"""Running both graphs, and what they show."""
