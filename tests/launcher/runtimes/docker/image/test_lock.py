"""Several launchers that build at once, on a real engine: one builds, the others wait, and nobody harms anybody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch_quantization.runtimes.docker.engine import Engine, connect
from launch_quantization.runtimes.docker.image import lock as module
from launch_quantization.runtimes.docker.image.build import ImageSpec, find_image, remove_images
from launch_quantization.runtimes.docker.image.lock import build_lock, builds_running
from launch_quantization.runtimes.docker.image.store import (
    INPUTS_LABEL,
    STAGE_LABEL,
    VARIANT_LABEL,
    finished_images,
    image_id,
    leftovers,
)
from launch_quantization.runtimes.docker.reaper import container_name, labels, our_containers, remove
from tests.launcher.fake_engine import FakeEngine, Request, reply
from tests.launcher.tiny_context import LOCAL_BASE, ROOT, VARIANT, make_tiny_context

pytestmark = [pytest.mark.engine, pytest.mark.slow]

LOCK = container_name(f"build-{VARIANT}")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The engine, without images and lock of the tiny variant afterwards; cached stages are shared by the tests."""
    engine = connect()
    yield engine
    remove(engine, LOCK)
    for image in _images(engine):
        engine.client.remove_image(image, force=True)
    engine.close()


def _images(engine: Engine) -> list[str]:
    return [image["Id"] for image in engine.client.images(filters={"label": f"{VARIANT_LABEL}={VARIANT}"})]


def _context(root: Path, *, content: str = "", slow: bool = False) -> Path:
    """A tiny context; a slow one says when it is in the middle of its build, and then takes a while."""
    make_tiny_context(root)
    (root / "quantization/intel_quantization/__init__.py").write_text(content)
    if slow:
        backend = root / "quantization/backend.py"
        backend.write_text(f"import time\ntime.sleep(8)\n{backend.read_text()}")
    return root


def _builder(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.launcher.builder", str(root), VARIANT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def _until(process: subprocess.Popen[str], words: str) -> str:
    """What a builder says until a line with these words."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it never said {words!r}: {said}")


def test_two_builds_of_different_code_do_not_harm_each_other(engine: Engine, tmp_path: Path) -> None:
    slow = _builder(_context(tmp_path / "slow", content="SLOW = 1\n", slow=True))
    _until(slow, "Processing /build/quantization")
    fast = _builder(_context(tmp_path / "fast", content="FAST = 1\n"))
    told = _until(fast, "waiting for it")
    assert "Step 1/" not in told
    said = [process.communicate(timeout=300)[0] for process in (slow, fast)]
    assert [slow.returncode, fast.returncode] == [0, 0], said
    tags = [text.splitlines()[-1] for text in said]
    assert all(image_id(engine, tag) is not None for tag in tags)
    assert VARIANT not in builds_running(engine)


def test_of_three_equal_builds_one_is_done(engine: Engine, tmp_path: Path) -> None:
    root = _context(tmp_path / "context", content="EQUAL = 1\n", slow=True)
    builders = [_builder(root) for _ in range(3)]
    said = [builder.communicate(timeout=300)[0] for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0, 0], said
    assert len({text.splitlines()[-1] for text in said}) == 1
    assert sum("Step 1/" in text for text in said) == 1
    assert sum("waiting for it" in text for text in said) == 2


@pytest.mark.parametrize("killed", [signal.SIGKILL, signal.SIGTERM])
def test_a_builder_that_dies_gives_the_lock_up(engine: Engine, tmp_path: Path, killed: signal.Signals) -> None:
    root = _context(tmp_path / "slow", content=f"DYING = {killed}\n", slow=True)
    dying = _builder(root)
    _until(dying, "Processing /build/quantization")
    assert VARIANT in builds_running(engine)
    dying.send_signal(killed)
    dying.communicate(timeout=60)
    assert VARIANT not in builds_running(engine)
    next_one = _builder(root)
    said, _ = next_one.communicate(timeout=300)
    assert next_one.returncode == 0, said
    assert ("is gone; building it here" in said) == (killed is signal.SIGKILL)
    assert LOCK not in [container.name for container in our_containers(engine)]


def test_what_is_left_of_a_build_is_found_and_what_is_being_built_is_spared(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _context(tmp_path / "context")
    for name in ("launch_quantization.building.context", "launch_quantization.runtimes.docker.image.provenance"):
        monkeypatch.setattr(f"{name}.context_root", lambda: root)
    # The real images of this machine are not this test's to remove.
    monkeypatch.setattr(
        "launch_quantization.runtimes.docker.image.build.finished_images",
        lambda *of: [one for one in finished_images(*of) if one.variant == VARIANT],
    )
    monkeypatch.setattr(
        "launch_quantization.runtimes.docker.image.build.leftovers",
        lambda *of: [one for one in leftovers(*of) if one in _images(engine)],
    )
    builder = _builder(root)
    said, _ = builder.communicate(timeout=300)
    assert builder.returncode == 0, said
    tag = find_image(engine, ImageSpec(VARIANT))
    assert tag is not None
    # As a launcher leaves it that is killed between the last COPY and the end, and one whose tag went to another.
    broken_off = _made(engine, f"FROM {LOCAL_BASE}\nLABEL {STAGE_LABEL}=image {VARIANT_LABEL}={VARIANT}\n")
    inputs = f"LABEL {VARIANT_LABEL}={VARIANT} {INPUTS_LABEL}=x {STAGE_LABEL}=\n"
    replaced = _made(engine, f"FROM {LOCAL_BASE}\nLABEL a=1\n{inputs}")
    users_own = _made(engine, f"FROM {tag}\nLABEL mine=1\n")

    with build_lock(engine, VARIANT, LOCAL_BASE, print):
        busy = builds_running(engine)
        assert VARIANT in busy
        assert remove_images(engine, keep_current=False, busy=busy) == []
    promised = remove_images(engine, keep_current=False, dry_run=True)
    assert {tag, broken_off, replaced} < set(promised)
    assert set(remove_images(engine, keep_current=False)) == set(promised)
    left = set(_images(engine))
    assert not left & {broken_off, replaced}
    assert users_own in left


def _made(engine: Engine, recipe: str) -> str:
    """An untagged image."""
    import io

    for entry in engine.client.build(fileobj=io.BytesIO(recipe.encode()), decode=True, rm=True):
        if "aux" in entry:
            return str(entry["aux"]["ID"])
    raise AssertionError(recipe)


def test_a_lock_that_cannot_be_removed_keeps_nobody_from_building(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = {**labels(f"build-{VARIANT}"), "io.github.quantization.process": "1:1"}
    dead = {"Id": "stuck", "Names": [f"/{LOCK}"], "Labels": taken, "Created": 1}
    answers = {
        "POST .*/containers/create": reply({"message": "the name is already in use"}, "409 Conflict"),
        "GET .*/containers/json": reply([dead]),
        "DELETE .*": reply({"message": "driver failed"}, "500 Internal Server Error"),
    }
    log: list[str] = []
    with FakeEngine(tmp_path, answers) as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.address)
        with build_lock(connect(), VARIANT, "an:image", log.append):
            pass
    assert any("driver failed" in line for line in log)


def test_a_builder_on_another_machine_is_waited_for_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.01)
    created = iter([module.time.time()] * 3 + [1.0] * 9)
    asked: list[Request] = []

    def create(request: Request) -> bytes:
        if any(one.method == "DELETE" for one in fake.requests):
            return reply({"Id": "ours"}, "201 Created")
        return reply({"message": "the name is already in use"}, "409 Conflict")

    def listed(request: Request) -> bytes:
        asked.append(request)
        elsewhere = {**labels(f"build-{VARIANT}"), "io.github.quantization.host": "elsewhere"}
        return reply([{"Id": "far", "Names": [f"/{LOCK}"], "Labels": elsewhere, "Created": int(next(created))}])

    gone = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
    answers = {"POST .*/containers/create": create, "GET .*/containers/json": listed, "DELETE .*": gone}
    log: list[str] = []
    with FakeEngine(tmp_path, answers) as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.address)
        with build_lock(connect(), VARIANT, "an:image", log.append):
            assert len(asked) == 4
    assert sum("waiting for it" in line for line in log) == 1
