"""Short runs that are killed at random moments; what must hold after each is in ``judge``.

python -m tests.faults.soak [--runs 200] [--pairs 50] [--seed 0] [--resume] [--report FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.support import PATIENCE, leftovers
from tests.faults import job_faults, races
from tests.faults.ground import Ground, output_complaint
from tests.faults.kept import Kept
from tests.faults.place import OLD, Place

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
EVENTS = ("", "", '"start"', '"measure"', '"result"')
"""After which event of the job the moment is counted; empty: after the start of the launcher."""
_STARTED = 0.5
"""Seconds in which Python itself starts, and a signal ends it without a word."""


@dataclass(frozen=True)
class Kill:
    """What is done to a run.

    Attributes:
        runtime: ``docker`` or ``local``.
        signum: the signal.
        inside: whether the job gets it, or the launcher.
        event: see EVENTS.
        delay: seconds.
    """

    runtime: str
    signum: signal.Signals
    inside: bool
    event: str
    delay: float

    def __str__(self) -> str:
        who = "job" if self.inside else "launcher"
        when = f"{self.delay:.2f} s after " + (self.event.strip('"') or "it began")
        return f"{self.runtime}: {self.signum.name} to the {who} {when}"


def draw(rng: random.Random, runtime: str) -> Kill:
    """A random one."""
    event = rng.choice(EVENTS)
    longest = 6.0 if not event else 0.3 if event == '"result"' else 2.0
    inside = rng.random() < 0.3
    return Kill(runtime, rng.choice(SIGNALS), inside, event, rng.uniform(0, longest))


class Watched:
    """A launcher whose events are read meanwhile."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.begun = time.monotonic()
        self.told = ""
        self._seen: set[str] = set()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._listen)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self._seen.update(event for event in EVENTS if event and event in line)
                self._changed.notify_all()
        with self._changed:
            self._seen.update(EVENTS)
            self._changed.notify_all()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.told = self.process.stderr.read()

    def wait_for(self, event: str) -> None:
        """Until the event came, or the run is over."""
        with self._changed:
            self._changed.wait_for(lambda: not event or event in self._seen, PATIENCE)

    def end(self) -> int:
        """The exit status."""
        status = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        return status


def hit(kill: Kill, place: Place, watched: Watched) -> None:
    """Wait for the moment, and send the signal to whom it is for, if that is there."""
    watched.wait_for(kill.event)
    time.sleep(kill.delay)
    with contextlib.suppress(ProcessLookupError):
        if not kill.inside:
            os.kill(watched.process.pid, kill.signum)
        elif kill.runtime == "docker":
            _kill_container(place, kill.signum)
        else:
            _kill_child(watched.process.pid, kill.signum)


def _kill_container(place: Place, signum: int) -> None:
    import docker

    for one in leftovers(place.folder):
        if one.startswith("container "):
            with contextlib.suppress(docker.errors.APIError):
                docker.APIClient().kill(one.split("'")[1].lstrip("/"), signum)


def _kill_child(launcher: int, signum: int) -> None:
    from launch_quantization.processes.supervisor import children, process_table

    table = children(process_table())
    jobs = [job for supervisor in table.get(launcher, ()) for job in table.get(supervisor, ())]
    for job in jobs[:1]:
        os.kill(job, signum)


def run(kill: Kill, ground: Ground, graph: Path, number: int) -> tuple[str, list[str]]:
    """One run with one kill: (what came of it, complaints)."""
    inside = ground.folder / f"run{number}"
    inside.mkdir()
    place = Place(inside, kill.runtime, ground.environment).fill(graph)
    watched = Watched(place.start("--json", "--samples", "4"))
    hit(kill, place, watched)
    lived = time.monotonic() - watched.begun
    status = watched.end()
    complaints = judge(kill, status, watched.told, lived)
    if status == -signal.SIGKILL:
        complaints += filter(None, [ground.clean()])
    complaints += [f"left: {one}" for one in ground.left(inside)]
    complaints += filter(None, [output_complaint(place.output)])
    if status == 0 and place.output.read_bytes() == OLD:
        complaints.append("exit code 0, and no new output")
    return _outcome(status), [f"{one}; stderr: {watched.told[-300:]!r}" for one in complaints]


def _outcome(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit code {status}"


def judge(kill: Kill, status: int, told: str, lived: float) -> list[str]:
    """What is wrong with how the launcher ended.

    Args:
        kill: what was done.
        status: of the process, negative for a signal.
        told: its stderr.
        lived: seconds until it was killed.
    """
    if kill.inside:
        # A job that is asked to end says that it was interrupted, one that is killed says nothing.
        wanted = {0, 8, 9, 128 + kill.signum}
    elif kill.signum == signal.SIGKILL:
        wanted = {0, -signal.SIGKILL}
    else:
        wanted = {0, 128 + kill.signum}
        if lived < _STARTED:
            return [] if status in wanted | {-kill.signum, 1} else [f"exit code {status}"]
    found = [] if status in wanted else [f"exit code {status}, not one of {sorted(wanted)}"]
    errors = sum(line.startswith("error: ") for line in told.splitlines())
    if "Traceback (most recent call last)" in told:
        found.append("a traceback")
    if status > 0 and errors != 1:
        found.append(f"{errors} errors told")
    return found


def soak(ground: Ground, numbers: Sequence[int], seed: int) -> Iterator[tuple[int, tuple[str, str, list[str]]]]:
    """(number, (what was done, what came of it, complaints)) of each run, the runtimes in turns."""
    runtimes = [name for name in ("docker", "local") if not job_faults.missing(name)]
    graphs = {}
    for name in runtimes:
        (ground.folder / name).mkdir()
        graphs[name] = job_faults.make_graph(name, ground.folder / name)
    for number in numbers:
        kill = draw(random.Random(f"{seed} run {number}"), runtimes[number % len(runtimes)])
        outcome, complaints = run(kill, ground, graphs[kill.runtime], number)
        yield number, (str(kill), outcome, complaints)


def main() -> int:
    """The command; 1 when something was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on behind what an earlier call with this seed ran")
    parser.add_argument("--report", type=Path, default=Path("build/soak.md"))
    options = parser.parse_args()
    # What is started in the background, or by nohup, ignores some, and so would the launcher.
    for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    kept = Kept(options.report.with_suffix(".jsonl"), options.resume, f"seed {options.seed}")
    parts = (("kills", options.runs, soak), ("races", options.pairs, races.races))
    for name, count, part in parts:
        numbers = [number for number in range(count) if f"{name} {number}" not in kept.records]
        if not numbers:
            continue
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            for number, (done, outcome, complaints) in part(Ground(Path(folder)), numbers, options.seed):
                print(f"{'NO ' if complaints else 'ok '} {done}: {outcome}", *complaints, sep="\n    ", flush=True)
                kept.add(f"{name} {number}", {"done": done, "outcome": outcome, "complaints": complaints})
                write(options.report, kept, options.seed)
    bad = write(options.report, kept, options.seed)
    print(f"{bad} complaints, in {options.report}")
    return 1 if bad else 0


def write(report: Path, kept: Kept, seed: int) -> int:
    """Write what was run until now; the number of complaints."""
    lines, bad = [f"# Soak, seed {seed}"], 0
    for name in ("kills", "races"):
        records = [record for key, record in kept.records.items() if key.startswith(name)]
        counts = Counter((_kind(record["done"]), record["outcome"]) for record in records)
        wrong = [f"{record['done']}: {record['outcome']}: {one}" for record in records for one in record["complaints"]]
        bad += len(wrong)
        lines += ["", f"## {name}: {len(records)}, complaints: {len(wrong)}", "", "| what | end | times |"]
        lines += ["| --- | --- | --- |"]
        lines += [f"| {what} | {outcome} | {count} |" for (what, outcome), count in sorted(counts.items())]
        lines += ["", *(f"- {one}" for one in wrong)]
    report.write_text("\n".join(lines) + "\n")
    return bad


def _kind(done: str) -> str:
    """Without the moment."""
    words = done.split()
    return (
        " ".join(words[: words.index("launcher" if "launcher" in words else "job") + 1]) if " to the " in done else done
    )


if __name__ == "__main__":
    sys.exit(main())
