"""What the user sees: lines, a progress bar, JSON; and the summary at the end."""
