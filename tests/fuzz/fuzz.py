"""Run many damaged files through the reader and the converter, in child processes with limits; report by kind.

Usage: fuzz.py [--cases N] [--minutes M] [--seed S] [--first N] [--kind KIND] [--report FILE]

A finding is a traceback, a graph that a pass broke, a signal, a case over its time, or one out of memory, but for
what happens while TensorFlow runs the graph itself: that may loop, or abort. With findings the exit status is 1.
``--first N --cases 1`` runs a single case again.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BATCH = 2000
SECONDS_A_CASE = 60
SECONDS_TO_START = 300
MEMORY = 12 * 2**30
_SHOWN = 40


def child(first: int, count: int, seed: int, convert: int, kind: str) -> None:
    """Run cases, and say of each when it begins and what came of it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()  # says where a case was when it is ended
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from tests.fuzz.cases import Cases

    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        cases = Cases(os.path.join(folder, "case"), seed, kind, bool(convert))
        for number in range(first, first + count):
            print(json.dumps(["begin", number, cases.kind_of(number)]), file=out, flush=True)
            print(json.dumps(["end", number, *cases.run(number)]), file=out, flush=True)


class Batch:
    """A child process and what it says, line by line."""

    def __init__(self, first: int, count: int, options: argparse.Namespace, log) -> None:
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join([ROOT, os.path.join(ROOT, "quantization")]))
        environment.update(OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="1")
        words = [sys.executable, os.path.abspath(__file__), "--child"]
        words += [*map(str, (first, count, options.seed, int(not options.read_only))), options.kind]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, env=environment)
        self._rest = b""
        self._log = log

    def line(self, seconds: float) -> list | None:
        """The next message; None at the end.

        Raises:
            TimeoutError: it took longer.
        """
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready = select.select([self._process.stdout], [], [], max(end - time.monotonic(), 0))[0]
            if not ready:
                raise TimeoutError
            data = os.read(self._process.stdout.fileno(), 1 << 16)
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def close(self) -> int:
        """End it; its exit status, negative for a signal that it did not get from here."""
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)  # faulthandler prints where it is
            status = 0
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()
        return status

    def was_in_the_graph(self) -> bool:
        """Whether it was running the graph when it was ended: graphs may have loops without an end."""
        self._log.flush()
        with open(self._log.name, errors="replace") as stream:
            last = stream.read().rpartition("Current thread")[2]
        return "_do_run" in last and ("in calibrate" in last or "in _check_valid" in last)


class Report:
    """Outcomes by kind of case, and the numbers of some cases of each finding."""

    def __init__(self) -> None:
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.findings: dict[str, list[int]] = {}
        self.messages: Counter[str] = Counter()

    def add(self, number: int, kind: str, outcome: str) -> None:
        self.messages[outcome] += 1
        if outcome.startswith("!"):
            print(f"\nfinding in case {number}, {kind}: {outcome[1:]}", file=sys.stderr, flush=True)
            self.findings.setdefault(outcome[1:], []).append(number)
        self.kinds[kind, outcome.partition(":")[0] if not outcome.startswith("!") else "finding"] += 1

    def text(self, seconds: float) -> str:
        """For people."""
        total = sum(self.kinds.values())
        lines = [f"{total} cases in {seconds:.0f} s, {sum(map(len, self.findings.values()))} findings", ""]
        outcomes = sorted({outcome for _, outcome in self.kinds})
        lines.append(f"{'':20}" + "".join(f"{outcome:>20}" for outcome in outcomes))
        for kind in sorted({kind for kind, _ in self.kinds}):
            lines.append(f"{kind:20}" + "".join(f"{self.kinds[kind, outcome]:20}" for outcome in outcomes))
        lines += ["", "The most frequent outcomes:"]
        lines += [f"{count:8}  {outcome}" for outcome, count in self.messages.most_common(_SHOWN)]
        if self.findings:
            lines += ["", "Findings, and the numbers of their first cases:"]
            for outcome, numbers in sorted(self.findings.items(), key=lambda item: -len(item[1])):
                lines.append(f"{len(numbers):8}  {outcome}  {numbers[:5]}")
        return "\n".join(lines)


def run(options: argparse.Namespace, log) -> Report:
    """Run cases, however their processes end."""
    first, last = options.first, options.first + options.cases
    seconds = None if options.minutes is None else options.minutes * 60
    report, number = Report(), first
    begin = time.monotonic()
    while number < last and (seconds is None or time.monotonic() - begin < seconds):
        batch = Batch(number, min(BATCH, last - number), options, log)
        current, kind, end = None, "", "!a child ended by itself"
        try:
            message = batch.line(SECONDS_TO_START)
            while message is not None:
                if message[0] == "begin":
                    current, kind = message[1:]
                else:
                    report.add(*message[1:])
                    current, number = None, message[1] + 1
                    if seconds is not None and time.monotonic() - begin >= seconds:
                        break
                message = batch.line(SECONDS_A_CASE)
            status = batch.close()
        except TimeoutError:
            status = batch.close()
            end = "the graph itself has no end" if batch.was_in_the_graph() else f"!no end after {SECONDS_A_CASE} s"
        if current is not None:
            if status < 0:
                # kernels abort on tensors whose shape is known in the run only, such as a Conv2D on one of rank 3
                end = "TensorFlow aborts in the graph" if batch.was_in_the_graph() else f"!signal {-status}"
            report.add(current, kind, end)
            number = current + 1
        elif status:
            report.add(number, "no case", f"!ended with {status} before its cases began; see the log")
            break
        write(options, report, time.monotonic() - begin)
        print(
            f"\r{number - first} cases, {len(report.findings)} kinds of findings", end="", file=sys.stderr, flush=True
        )
    print(file=sys.stderr)
    return report


def write(options: argparse.Namespace, report: Report, seconds: float) -> None:
    """The report of what was run until now."""
    if options.report:
        with open(options.report, "w") as stream:
            stream.write(report.text(seconds) + "\n")


def main() -> int:
    """The command."""
    if sys.argv[1:2] == ["--child"]:
        sys.path[:0] = [ROOT, os.path.join(ROOT, "quantization")]
        child(*map(int, sys.argv[2:6]), sys.argv[6])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, help="stop after so many, whatever --cases says")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--kind", default="", help="only these kinds of cases, such as 'npy,odd graphs'")
    parser.add_argument("--read-only", action="store_true", help="read and optimize, and convert nothing: faster")
    parser.add_argument("--report", help="a file for the report")
    parser.add_argument("--log", help="a file for what TensorFlow prints")
    options = parser.parse_args()
    begin = time.monotonic()
    with open(options.log, "w+") if options.log else tempfile.NamedTemporaryFile("w+", prefix="fuzz-") as log:
        report = run(options, log)
    text = report.text(time.monotonic() - begin)
    print(text)
    write(options, report, time.monotonic() - begin)
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
