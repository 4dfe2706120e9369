"""Calibration by a command of the user, in processes that are not ours."""
