from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from launch_quantization import signals
from launch_quantization.commands import cli
from launch_quantization.errors import Interrupted
from launch_quantization.signals import handed_over, patience, shield


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    # also under nohup, where SIGHUP is ignored
    before = {signum: signal.signal(signum, signal.default_int_handler) for signum in signals.SIGNALS}
    signals.install()
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


def send(signum: int) -> None:
    os.kill(os.getpid(), signum)


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)]
)
def test_a_signal_is_an_exception(signum: int, code: int) -> None:
    with pytest.raises(Interrupted) as caught:
        send(signum)
    assert caught.value.exit_code == code


def test_a_shield_finishes_what_it_holds() -> None:
    done = []

    def body() -> None:
        with shield():
            with shield():
                send(signal.SIGTERM)
                done.append("inner")
            done.append("outer")

    with pytest.raises(Interrupted):
        body()
    assert done == ["inner", "outer"]


def test_a_failure_in_a_shield_is_not_hidden_and_the_signal_not_lost() -> None:
    def body() -> None:
        with shield():
            send(signal.SIGTERM)
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        body()
    with pytest.raises(Interrupted), shield():
        pass


def test_only_a_wait_can_be_cut_by_a_second_signal() -> None:
    with pytest.raises(Interrupted):
        send(signal.SIGINT)
    send(signal.SIGINT)  # cleaning up: nothing more is interrupted
    with shield():
        send(signal.SIGTERM)
    with pytest.raises(Interrupted), patience():
        send(signal.SIGTERM)
    send(signal.SIGINT)


def test_a_shell_has_ctrl_c_for_itself() -> None:
    with handed_over():
        send(signal.SIGINT)
        with pytest.raises(Interrupted):
            send(signal.SIGTERM)
    signals.install()
    with pytest.raises(Interrupted):
        send(signal.SIGINT)


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals.install()
    send(signal.SIGHUP)


def test_after_the_end_nothing_interrupts() -> None:
    signals.retire()
    for signum in signals.SIGNALS:
        send(signum)


def test_a_signal_before_the_options_are_read_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Importing what the command needs takes a while on a machine under load."""

    def prepare(_argv: list[str]) -> None:
        send(signal.SIGTERM)

    monkeypatch.setattr(cli, "_prepare", prepare)
    assert cli.main(["-g", "net.pb"]) == 143
    assert capsys.readouterr().err.startswith("error: interrupted by SIGTERM")
