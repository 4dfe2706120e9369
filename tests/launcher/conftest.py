"""Settings of the launcher's unit tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# No test depends on how long it takes.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def default_signals() -> Iterator[None]:
    """Each test begins with the signals as a shell in the foreground leaves them.

    A test in whose process the launcher comes to its end leaves them ignored, as does nohup; the launcher then takes
    no notice of them, and a test that sends itself one would wait for ever.
    """
    defaults = dict.fromkeys((signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT), signal.SIG_DFL)
    before = {signum: signal.signal(signum, handler) for signum, handler in defaults.items()}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)
