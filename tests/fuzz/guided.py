"""Coverage-guided fuzzing of the readers with atheris: bytes that reach new lines are kept and damaged further.

Usage: guided.py [--seconds N] [--reader NAME] [--corpus FOLDER] [--report FILE] [--list]

Seeds are those of tests/fuzz/readers.py, which are made by code; what was found to reach more stays in the corpus
folder, for the next call. With findings the exit status is 1, and their bytes are beside the corpus, in ``findings``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(ROOT, "build", "fuzz-tools")
REQUIREMENTS = os.path.join(ROOT, "tests", "requirements", "fuzz.txt")
_LONGEST = 20_000
_SLOW = 30
"""Seconds of one case, which libFuzzer takes for a hang."""


def child(name: str, words: list[str]) -> None:
    """Fuzz one reader until libFuzzer ends the process."""
    sys.path[:0] = [ROOT, os.path.join(ROOT, "quantization"), TOOLS]
    import atheris

    with atheris.instrument_imports(include=["intel_quantization", "launch_quantization"]):
        from tests.fuzz import cases, readers

    reader = readers.readers()[name]
    folder = tempfile.mkdtemp(prefix="guided-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)

    def one(data: bytes) -> None:
        outcome = cases.outcome(lambda: reader.read(folder, data))
        if outcome.startswith("!"):
            raise RuntimeError(outcome[1:])

    atheris.Setup(words, one)
    atheris.Fuzz()


def install() -> str:
    """Make atheris available; why that cannot be, or nothing."""
    stamp = os.path.join(TOOLS, os.path.basename(REQUIREMENTS))
    with open(REQUIREMENTS, "rb") as stream:
        wanted = stream.read()
    if os.path.isfile(stamp):
        with open(stamp, "rb") as stream:
            if stream.read() == wanted:
                return ""
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    words += ["--upgrade", "--target", TOOLS, "-r", REQUIREMENTS]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        return "atheris cannot be installed: " + (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
    with open(stamp, "wb") as stream:
        stream.write(wanted)
    return ""


def fuzz(name: str, seconds: int, corpus: str, findings: str) -> tuple[str, bool]:
    """One reader: (a line for the report, whether something was found)."""
    folder = os.path.join(corpus, name.replace(" ", "-"))
    os.makedirs(folder, exist_ok=True)
    os.makedirs(findings, exist_ok=True)
    for data in _seeds(name):
        with open(os.path.join(folder, hashlib.sha256(data).hexdigest()[:16]), "wb") as stream:
            stream.write(data)
    words = [sys.executable, os.path.abspath(__file__), "--child", name, folder, f"-max_total_time={seconds}"]
    words += ["-print_final_stats=1", f"-max_len={_LONGEST}", f"-timeout={_SLOW}", "-rss_limit_mb=6000"]
    words += ["-artifact_prefix=" + os.path.join(findings, name.replace(" ", "-") + "-")]
    variables = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", OMP_NUM_THREADS="1")
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", env=variables, check=False)
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr) or [("?", "?", "?")]
    cases = (re.findall(r"stat::number_of_executed_units: (\d+)", done.stderr) or ["?"])[-1]
    line = (
        f"{name:16}{cases:>10} cases, {covered[0][0]:>6} -> {covered[-1][0]:>6} places reached, {covered[-1][2]} kept"
    )
    if done.returncode:
        why = (
            re.findall(r"^.*(?:RuntimeError: |ERROR: ).*$", done.stderr, re.MULTILINE) or done.stderr.splitlines()[-1:]
        )
        line += f"; FOUND: {' '.join(why[:2])[:300]}"
    return line, bool(done.returncode)


def _seeds(name: str) -> tuple[bytes, ...]:
    """The seeds of a reader, asked of a process with TensorFlow, which this one needs not have."""
    code = "import base64, sys; from tests.fuzz import readers\n"
    code += "for seed in readers.readers()[sys.argv[1]].seeds: print('seed', base64.b64encode(seed).decode())"
    variables = dict(os.environ, PYTHONPATH=os.pathsep.join([ROOT, os.path.join(ROOT, "quantization")]))
    done = subprocess.run(
        [sys.executable, "-c", code, name], stdout=subprocess.PIPE, text=True, env=variables, check=True
    )
    import base64

    return tuple(base64.b64decode(line[5:]) for line in done.stdout.splitlines() if line.startswith("seed "))


def main() -> int:
    """The command."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[:1] + sys.argv[3:])
        return 0
    sys.path[:0] = [ROOT, os.path.join(ROOT, "quantization")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--reader", help="only this one, such as 'zoo files'")
    parser.add_argument("--corpus", default=os.path.join(ROOT, "build", "fuzz-corpus"))
    parser.add_argument("--report", help="a file for the report")
    parser.add_argument("--list", action="store_true", help="name the readers, and fuzz nothing")
    options = parser.parse_args()
    if options.list:
        print(*_names(), sep="\n")
        return 0
    lines, found = [], False
    missing = install()
    if missing:
        lines.append(f"not run: {missing}")
        print(lines[0], file=sys.stderr)
        _write(options.report, lines)
    else:
        names = [options.reader] if options.reader else _names()
        for name in names:
            line, wrong = fuzz(name, options.seconds, options.corpus, os.path.join(options.corpus, "findings"))
            print(line, flush=True)
            lines.append(line)
            found = found or wrong
            _write(options.report, lines)
    return 1 if found else 0


def _write(report: str | None, lines: list[str]) -> None:
    """What was run until now."""
    if report:
        with open(report, "w") as stream:
            stream.write("\n".join(lines) + "\n")


def _names() -> tuple[str, ...]:
    from tests.fuzz.readers import NAMES

    return NAMES


if __name__ == "__main__":
    sys.exit(main())
