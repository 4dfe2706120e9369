"""What calibrations saw is kept between runs: by graph and environment, up to a limit, whatever a job leaves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from launch_quantization.contract.outputs import kept_name
from launch_quantization.job.job import Job
from launch_quantization.job.validation import checked_job
from launch_quantization.output import kept as module
from launch_quantization.output.kept import MARKER, kept_for, kept_root, rescue, trim
from tests.launcher.support import options

ONE, OTHER = kept_name("1" * 64), kept_name("2" * 64)


@pytest.fixture
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "staging" / "output").mkdir(parents=True)
    return tmp_path / "staging"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "net.pb").write_bytes(b"graph")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    return checked_job(options("-g", tmp_path / "net.pb", "-d", tmp_path / "images"))


def folder(job: Job, staging: Path, place: Mapping[str, object] | None = None) -> Path:
    with kept_for(job, place or {"lock": "1"}, staging, pytest.fail) as found:
        assert found is not None
        return found


def test_what_a_job_leaves_is_there_for_the_next_one(job: Job, staging: Path) -> None:
    with kept_for(job, {"lock": "1"}, staging, pytest.fail) as found:
        assert found is not None
        assert not list(found.iterdir())
        (staging / "output" / ONE).write_bytes(b"statistics")
        (staging / "output" / "net.pb").write_bytes(b"no statistics")
    assert [path.name for path in folder(job, staging).iterdir()] == [ONE]
    assert (folder(job, staging) / ONE).read_bytes() == b"statistics"


def test_a_job_that_failed_has_calibrated_all_the_same(job: Job, staging: Path) -> None:
    def fail() -> None:
        with kept_for(job, {}, staging, pytest.fail):
            (staging / "output" / ONE).write_bytes(b"statistics")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (folder(job, staging, {}) / ONE).read_bytes() == b"statistics"


def test_each_graph_in_each_environment_has_its_own(job: Job, staging: Path, tmp_path: Path) -> None:
    places = [{"lock": "1"}, {"lock": "2"}, {"lock": "1", "package": "3"}, {"image_content": "4"}]
    found = {folder(job, staging, place) for place in places}
    (tmp_path / "net.pb").write_bytes(b"another")
    found.add(folder(job, staging))
    assert len(found) == len(places) + 1
    assert folder(job, staging, {"lock": "1", "engine": "of another version"}) == folder(job, staging)


def test_a_launcher_that_was_killed(job: Job, staging: Path) -> None:
    kept = folder(job, staging)
    assert (staging / MARKER).read_bytes() == os.fsencode(kept)
    (staging / "output" / ONE).write_bytes(b"statistics")
    rescue(staging)
    assert (kept / ONE).read_bytes() == b"statistics"


def test_a_marker_that_leads_elsewhere(job: Job, staging: Path, tmp_path: Path) -> None:
    (staging / MARKER).write_bytes(os.fsencode(tmp_path / "images"))
    (staging / "output" / ONE).write_bytes(b"statistics")
    rescue(staging)
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["a.png"]


def test_only_plain_files_are_taken(job: Job, staging: Path, tmp_path: Path) -> None:
    kept = folder(job, staging)
    output = staging / "output"
    (output / ONE).symlink_to(tmp_path / "net.pb")
    os.link(tmp_path / "net.pb", output / OTHER)
    os.mkfifo(output / kept_name("3" * 64))
    (output / "calibrated-../x.npz").parent.mkdir()
    (output / "calibrated-1.npz").write_bytes(b"x")
    rescue(staging)
    assert not list(kept.iterdir())


def test_what_was_used_longest_ago_goes_first(job: Job, staging: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        place = kept_root() / str(number)
        place.mkdir(parents=True)
        (place / ONE).write_bytes(b"12345")
        os.utime(place / ONE, (number + 1, number + 1))
    monkeypatch.setattr(module, "LIMIT", 13)
    kept = folder(job, staging)
    assert sorted(path.parent.name for path in kept_root().glob("*/*")) == ["2", "3"]
    assert not (kept_root() / "0").exists()
    assert kept.exists()
    assert trim(5, dry_run=True) == [kept_root() / "2" / ONE]
    assert len(list(kept_root().glob("*/*"))) == 2


def test_use_makes_it_young(job: Job, staging: Path) -> None:
    kept = folder(job, staging)
    (kept / ONE).write_bytes(b"1")
    os.utime(kept / ONE, (1, 1))
    folder(job, staging)
    assert (kept / ONE).stat().st_mtime > 1


def test_a_cache_that_cannot_be_written(job: Job, staging: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_root().parent.mkdir(parents=True)
    kept_root().write_text("no folder")
    warnings: list[str] = []
    with kept_for(job, {}, staging, warnings.append) as found:
        assert found is None
    assert len(warnings) == 1
    assert "is not kept for later runs" in warnings[0]


def test_a_job_sees_it_read_only(job: Job, staging: Path) -> None:
    import dataclasses

    kept = folder(job, staging)
    mounts = {mount.target: mount for mount in dataclasses.replace(job, kept=kept).mounts()}
    assert mounts["/workspace/kept"].source == kept
    assert mounts["/workspace/kept"].read_only
    assert "/workspace/kept" not in {mount.target for mount in job.mounts()}
    assert dataclasses.replace(job, kept=kept).inside() == job.inside()
