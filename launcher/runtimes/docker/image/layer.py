"""A layer of an image, written so that the same files give the same bytes, whoever built it, when, with what engine."""

from __future__ import annotations

import copy
import hashlib
import tarfile
from typing import IO, Any

_KEPT_HEADERS = "SCHILY.xattr."
"""Extended headers that say what a file is; the others are times, or the way a name is written."""


def write_layer(source: tarfile.TarFile, target: IO[bytes]) -> str:
    """Write a layer anew: sorted by name, without times and names of users.

    Of names for one file, the first in order is the file and the others are links to it, whichever the builder took.

    Args:
        source: the layer as an engine gives it.
        target: gets it, uncompressed.

    Returns:
        The SHA-256 of what was written, hexadecimal.
    """
    members = {member.name: member for member in source.getmembers()}  # of two with one name the later one holds
    owners = _find_links(members)
    output = Hashing(target)
    stream: Any = output  # of which tarfile needs write() alone
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(members):
            entry, content = _make_entry(name, members, owners)
            data = source.extractfile(content) if content is not None else None
            archive.addfile(entry, data)
    return output.hexdigest()


def _find_links(members: dict[str, tarfile.TarInfo]) -> dict[str, list[str]]:
    """Of each file that has links: the names of all of them, in order, by the name that holds the content."""
    found: dict[str, list[str]] = {}
    for name, member in members.items():
        if member.islnk():
            found.setdefault(member.linkname, [member.linkname]).append(name)
    return {target: sorted(names) for target, names in found.items() if target in members}


def _make_entry(
    name: str, members: dict[str, tarfile.TarInfo], owners: dict[str, list[str]]
) -> tuple[tarfile.TarInfo, tarfile.TarInfo | None]:
    """What to write under a name, and the member that has its content."""
    member = members[name]
    holder = member.linkname if member.islnk() else name
    names = owners.get(holder)
    content = members[holder] if names is not None else member
    entry = copy.copy(content if names is not None else member)
    entry.name = name
    entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.pax_headers = {key: value for key, value in entry.pax_headers.items() if key.startswith(_KEPT_HEADERS)}
    if names is not None and name != names[0]:
        entry.type, entry.linkname, entry.size = tarfile.LNKTYPE, names[0], 0
        return entry, None
    return entry, content if content.isreg() else None


class Hashing:
    """A file to write to that hashes what passes."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._target.write(data)

    def hexdigest(self) -> str:
        """Of all of it."""
        return self._digest.hexdigest()
