"""The user's inference command: its words, and its processes while they run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections import deque
from types import TracebackType
from typing import Callable, Deque, Dict, Mapping, Optional, Sequence, Tuple, Type

from intel_quantization.calibration.by_command import guard
from intel_quantization.errors import BadInputError

GRAPH = "{}"
"""What stands for the path of the graph in a command."""

_GRAPH_OPTION = re.compile(r"(-{0,2}(?:input|in)[-_]graph)(=.*)?", re.DOTALL)
_CHUNK = 1 << 16
_LONGEST_LINE = 1000
_LAST_WORDS_SECONDS = 5.0
_TAIL_LINES = 20
_SHOWN_LINES = 5
_SHOWN_CHARACTERS = 800
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def command_words(text: str) -> Tuple[str, ...]:
    """The words of a command line, with ``{}`` where the graph's path is to be.

    ``{}`` may stand anywhere. Without one, the value of ``input_graph`` or ``in_graph``, as an option in any
    spelling, is replaced; where there is no such option either, since intel-quantization 1.1 told users to
    remove it, ``--input_graph={}`` is added.

    Raises:
        BadInputError: a quote is not closed, or there is no word.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInputError("the calibration command is no command line: %s" % error, "check its quotes") from None
    if not words:
        raise BadInputError("the calibration command is empty", "give a command such as 'python infer.py --graph {}'")
    if any(GRAPH in word for word in words):
        return tuple(words)
    for number, word in enumerate(words):
        found = _GRAPH_OPTION.fullmatch(word)
        if number and found and found.group(2):
            return tuple(words[:number] + [found.group(1) + "=" + GRAPH] + words[number + 1 :])
        if number and found and word.startswith("-"):
            has_value = number + 1 < len(words) and not words[number + 1].startswith("-")
            return tuple(words[: number + 1] + [GRAPH] + words[number + 1 + has_value :])
    return tuple(words + ["--input_graph=" + GRAPH])


class Command:
    """A running command; a context manager at whose end none of its processes is left.

    Args:
        words: the program and its arguments.
        directory: removed should this process die.
        on_output: called with each line of its output, from another thread.
        variables: environment variables besides those of this process.

    Raises:
        BadInputError: there is no such program.
    """

    def __init__(
        self,
        words: Sequence[str],
        directory: str,
        on_output: Optional[Callable[[str], None]] = None,
        variables: Optional[Mapping[str, str]] = None,
    ) -> None:
        environment: Dict[str, str] = dict(os.environ, **(variables or {}))
        words = [_find_program(words[0], environment), *words[1:]]
        self._tail: Deque[str] = deque(maxlen=_TAIL_LINES)
        self._on_output = on_output
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), directory, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C is for us; the guard ends the command in good order
        )
        self._reader = threading.Thread(target=self._read, name="calibration command", daemon=True)
        self._reader.start()

    def __enter__(self) -> Command:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.end()

    def poll(self) -> Optional[int]:
        """The exit status, 128 + number after a signal; None while it runs."""
        status = self._process.poll()
        return 128 - status if status is not None and status < 0 else status

    def end(self) -> None:
        """End all processes of the command, if need be, and take in the rest of its output."""
        if self._process.poll() is None:
            self._process.send_signal(guard.STOP)
        self._process.wait()
        # the guard is the last to hold the other end, unless somebody has killed it
        self._reader.join(_LAST_WORDS_SECONDS)
        if not self._reader.is_alive() and self._process.stdout is not None:
            self._process.stdout.close()

    def last_lines(self) -> str:
        """The last lines of its output as one line; empty where it said nothing."""
        lines = [line.strip() for line in self._tail if line.strip()][-_SHOWN_LINES:]
        return " | ".join(lines)[-_SHOWN_CHARACTERS:]

    def _read(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        line, told = b"", False  # what came of a line so far, and whether its beginning was told already
        while True:
            chunk = os.read(descriptor, _CHUNK)
            *whole, line = (line + chunk).split(b"\n")
            for text in whole:
                if not told:
                    self._tell(text)
                told = False
            if line and not told and (len(line) > _LONGEST_LINE or not chunk):
                self._tell(line)
                told = True
            if told:
                line = b""
            if not chunk:
                return

    def _tell(self, line: bytes) -> None:
        # what a progress bar has overwritten need not be shown
        text = line[: 4 * _LONGEST_LINE].rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")
        text = _CONTROL.sub("", text)
        text = text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE] + " [cut]"
        self._tail.append(text)
        if self._on_output is not None:
            self._on_output(text)


def _find_program(word: str, environment: Mapping[str, str]) -> str:
    if shutil.which(word, path=environment.get("PATH")) is not None:
        return word
    if word == "python":  # some systems have a python3 only; what we run with has TensorFlow
        return sys.executable
    what = "cannot be run" if os.path.exists(word) else "does not exist"
    raise BadInputError(
        "the program '%s' of the calibration command %s" % (word, what), "begin the command with python or a program"
    )


def display(words: Sequence[str]) -> str:
    """Words as one line for people."""
    return " ".join(shlex.quote(word) for word in words)
