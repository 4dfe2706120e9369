"""Settings of the launcher's unit tests."""

from __future__ import annotations

from hypothesis import settings

# No test depends on how long it takes.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
