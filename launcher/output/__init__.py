"""What a job leaves: staged, checked as foreign data, moved into place; and which runs are under way."""
