"""Where a job runs: the protocol, and one folder for each runtime."""
