"""Child processes that leave nothing behind, whatever happens to them or to the launcher."""
