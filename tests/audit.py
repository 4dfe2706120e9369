"""Looks the packages of all lock files up in a database of vulnerabilities; into build/audit.md.

python tests/audit.py [--advisories FOLDER]

With a checkout of https://github.com/pypa/advisory-database as FOLDER nothing is asked of the network; without one,
pip-audit asks OSV. What is known and cannot be helped is in tests/audit_known.txt, with the reason; anything else ends
with 1, and a database that cannot be reached with 2.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "build" / "audit.md"
KNOWN = ROOT / "tests" / "audit_known.txt"
_SAME_CODE = {"intel-tensorflow": "tensorflow", "tensorflow-cpu": "tensorflow"}
"""Packages that an advisory may name otherwise."""
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Advisory:
    """A vulnerability that a locked package has.

    Attributes:
        lock: the lock file, below the root.
        package: its name, normalized.
        version: as locked.
        id: of the advisory.
        fixed: versions without it, with commas; empty where there is none.
    """

    lock: str
    package: str
    version: str
    id: str
    fixed: str


def locks() -> list[Path]:
    """All lock files."""
    return sorted([*(ROOT / "image" / "requirements").glob("*.txt"), *(ROOT / "tests" / "requirements").glob("*.txt")])


def pinned(lock: Path) -> list[tuple[str, str]]:
    """(normalized name, version) of each package of a lock file."""
    found = _PINNED.findall(lock.read_text("utf-8"))
    return sorted({(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in found})


def from_folder(folder: Path) -> Iterator[Advisory]:
    """What a checkout of the advisory database says.

    Raises:
        FileNotFoundError: it is none.
    """
    if not (folder / "vulns").is_dir():
        raise FileNotFoundError(f"{folder} has no folder vulns; it is no checkout of pypa/advisory-database")
    for lock in locks():
        for name, version in pinned(lock):
            for path in sorted((folder / "vulns" / _SAME_CODE.get(name, name)).glob("*.yaml")):
                yield from _matching(path, str(lock.relative_to(ROOT)), name, version)


def _matching(path: Path, lock: str, name: str, version: str) -> Iterator[Advisory]:
    import yaml
    from packaging.version import Version

    advisory = yaml.safe_load(path.read_text("utf-8"))
    if advisory.get("withdrawn"):
        return
    ours = Version(version)
    for affected in advisory.get("affected", ()):
        if re.sub(r"[-_.]+", "-", affected["package"]["name"]).lower() != _SAME_CODE.get(name, name):
            continue
        events = [
            event for each in affected.get("ranges", ()) if each["type"] == "ECOSYSTEM" for event in each["events"]
        ]
        if version in affected.get("versions", ()) or is_within(ours, events):
            fixed = sorted({Version(event["fixed"]) for event in events if "fixed" in event})
            later = ", ".join(str(each) for each in fixed if each > ours)
            yield Advisory(lock, name, version, advisory["id"], later)
            return


def is_within(ours: object, events: list[dict[str, str]]) -> bool:
    """Whether a version lies behind an introduction that no fix follows."""
    from packaging.version import Version

    inside = False
    for event in sorted(events, key=lambda event: Version(next(iter(event.values())))):
        (kind, text), *_ = event.items()
        version = Version(text)
        if kind == "introduced" and version <= ours:  # type: ignore[operator]
            inside = True
        elif (kind == "fixed" and version <= ours) or (kind == "last_affected" and version < ours):  # type: ignore[operator]
            inside = False
    return inside


def from_network() -> Iterator[Advisory]:
    """What OSV says, asked by pip-audit.

    Raises:
        ConnectionError: it cannot be reached; with what pip-audit says.
    """
    for lock in locks():
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "-s", "osv"]
        command += ["--progress-spinner", "off", "-f", "json", "-r", str(lock)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise ConnectionError(f"pip-audit says: {said}") from None
        for package in answer["dependencies"]:
            for found in package.get("vulns", ()):
                fixed = ", ".join(found.get("fix_versions", ()))
                yield Advisory(str(lock.relative_to(ROOT)), package["name"], package["version"], found["id"], fixed)


def known() -> dict[tuple[str, str], str]:
    """(lock, package), ``*`` for all locks -> why its vulnerabilities stay."""
    found = {}
    for line in KNOWN.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            lock, package, reason = line.split(None, 2)
            found[lock, package] = reason
    return found


def report(found: list[Advisory], source: str) -> tuple[str, int]:
    """(text, number of vulnerabilities that nobody has looked at)."""
    excused = known()
    new = [each for each in found if not _excuse(each, excused)]
    lines = ["# Vulnerabilities of locked packages", "", f"By {source}: {len(found)}, {len(new)} of them new.", ""]
    lines += ["| lock | package | advisories | fixed in | why it stays |", "| --- | --- | --- | --- | --- |"]
    groups: dict[tuple[str, str, str], list[Advisory]] = {}
    for each in sorted(found):
        groups.setdefault((each.lock, each.package, each.version), []).append(each)
    for (lock, package, version), each in groups.items():
        ids = f"{len(each)}: {', '.join(one.id for one in each[:3])}" + (" …" if len(each) > 3 else "")
        fixed = each[-1].fixed or "none"
        lines.append(f"| {lock} | {package} {version} | {ids} | {fixed} | {_excuse(each[0], excused) or '**NEW**'} |")
    return "\n".join(lines) + "\n", len(new)


def _excuse(found: Advisory, excused: dict[tuple[str, str], str]) -> str:
    lock = Path(found.lock).stem
    return excused.get((lock, found.package), "") or excused.get(("*", found.package), "")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--advisories", type=Path, help="a checkout of pypa/advisory-database; none: ask OSV")
    options = parser.parse_args()
    try:
        if options.advisories is not None:
            found, source = list(from_folder(options.advisories)), "the PyPA advisory database"
        else:
            found, source = list(from_network()), "OSV"
    except (ConnectionError, FileNotFoundError) as error:
        print(f"audit: error: no database of vulnerabilities: {error}", file=sys.stderr)
        print("  give a checkout of pypa/advisory-database: make audit ADVISORIES=FOLDER", file=sys.stderr)
        return 2
    text, new = report(found, source)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text, "utf-8")
    print(text)
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
