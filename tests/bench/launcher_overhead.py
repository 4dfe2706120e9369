"""What the launcher costs: time to the first line inside against a bare ``docker run``, ``--help``, a no-op build.

Command and bare run alternate, so that whatever slows the machine down slows both. Times are in seconds.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 10
FIRST = "first line"
LAUNCHER = str(Path(sys.executable).with_name("launch_quantization"))


def first_line(command: list[str]) -> float:
    """Seconds from the start of ``command`` until a bash that it runs has printed a line."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"echo {FIRST}\n".encode())
        process.stdin.close()
        line = process.stdout.readline()
        taken = time.perf_counter() - start
        process.stdout.read()
    if line.strip() != FIRST.encode():
        raise SystemExit(f"bench: error: {' '.join(command)} gave {line!r} and ended with {process.returncode}")
    return taken


def whole(command: list[str]) -> float:
    """Seconds that ``command`` takes."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def image() -> str | None:
    """The launcher's own image, built if it is missing; None without an engine."""
    if subprocess.run([LAUNCHER, "build"], stdout=subprocess.DEVNULL, check=False).returncode != 0:
        return None
    command = [LAUNCHER, "--runtime", "docker", "--debug", "--dry-run"]
    plan = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return str(json.JSONDecoder().raw_decode(plan)[0]["image"])


def measure() -> dict[str, float]:
    """Medians in seconds; without an engine only those that need none."""
    found = {"help": statistics.median(whole([LAUNCHER, "--help"]) for _ in range(RUNS))}
    tag = image()
    if tag is None:
        print("not measured: containers, as no Docker engine answers")
        return found
    found["no-op build"] = statistics.median(whole([LAUNCHER, "build"]) for _ in range(RUNS))
    with tempfile.TemporaryDirectory() as folder:
        ours = [LAUNCHER, "--runtime", "docker", "--debug", "--out_graph", f"{folder}/x.pb"]
        bare = ["docker", "run", "--rm", "--interactive", tag, "bash"]
        first_line(ours), first_line(bare)
        pairs = [(first_line(ours), first_line(bare)) for _ in range(RUNS)]
    found["first line inside, launcher"] = statistics.median(ours for ours, _ in pairs)
    found["first line inside, docker run"] = statistics.median(bare for _, bare in pairs)
    found["launcher's overhead"] = statistics.median(ours - bare for ours, bare in pairs)
    return found


def main() -> None:
    """Print the table and write build/bench/launcher.json."""
    found = measure()
    for name, seconds in found.items():
        print(f"{name:<32}{seconds:6.3f} s")
    target = Path("build/bench/launcher.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
