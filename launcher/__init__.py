"""Host side: turns a command line into a Job, runs it in a Runtime, collects what it leaves."""

__version__ = "0.1.0"
