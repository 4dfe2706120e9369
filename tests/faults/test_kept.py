"""What was run stays known, and nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.faults.kept import Kept


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "build" / "soak.jsonl"
    kept = Kept(path, resume=False, of="seed 0")
    kept.add("a", {"outcome": "0"})
    with path.open("a") as stream:
        stream.write('{"of": "seed 0", "key": "b", "outc')  # it was killed while it wrote
    again = Kept(path, resume=True, of="seed 0")
    assert again.records == {"a": {"outcome": "0"}}
    again.add("b", {"outcome": "1"})
    assert list(Kept(path, resume=True, of="seed 0").records) == ["a", "b"]


def test_another_seed_and_no_resuming_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "soak.jsonl"
    for resume, of in ((True, "seed 1"), (False, "seed 0")):
        Kept(path, resume=False, of="seed 0").add("a", {})
        assert Kept(path, resume, of).records == {}
