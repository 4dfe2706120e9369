"""Building on a real engine: live log, no-op, no trace of the build site, nothing stale left."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch_quantization.errors import BuildError, ImageMissingError, Interrupted, OutputRefusedError
from launch_quantization.runtimes.docker.engine import Engine, connect
from launch_quantization.runtimes.docker.image.archive import save_image
from launch_quantization.runtimes.docker.image.build import ImageSpec, ensure_image, find_image, remove_images
from launch_quantization.runtimes.docker.image.store import STAGE_LABEL, VARIANT_LABEL, finished_images, image_id
from tests.launcher.tiny_context import VARIANT, make_tiny_context

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SECRET = "c2VjcmV0LW9mLXRoZS1zaXRl"


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make_tiny_context(tmp_path / "context")
    for module in ("launch_quantization.building.context", "launch_quantization.runtimes.docker.image.provenance"):
        monkeypatch.setattr(f"{module}.context_root", lambda: root)
    return root


@pytest.fixture(scope="module")
def connection() -> Iterator[Engine]:
    """The engine, without images of the tiny variant afterwards."""
    engine = connect()
    yield engine
    _remove_tiny(engine)
    engine.close()


@pytest.fixture
def engine(connection: Engine, context: Path) -> Engine:
    """The engine, for builds of the tiny context; their finished steps are shared between the tests."""
    return connection


def _remove_tiny(engine: Engine) -> None:
    for image in engine.client.images(filters={"label": f"{VARIANT_LABEL}={VARIANT}"}):
        engine.client.remove_image(image["Id"], force=True)


def _stages(engine: Engine) -> list[str]:
    labels = [STAGE_LABEL, f"{VARIANT_LABEL}={VARIANT}"]
    return [image["Id"] for image in engine.client.images(filters={"dangling": True, "label": labels})]


def _tags(engine: Engine) -> list[str]:
    return [tag for image in finished_images(engine, []) for tag in image.tags if f":{VARIANT}-" in tag]


def _containers_of_builds(engine: Engine) -> set[str]:
    """Containers of our stages, once the engine has noticed what happened."""
    for _ in range(300):
        found = engine.client.containers(all=True, filters={"label": f"{VARIANT_LABEL}={VARIANT}"})
        if not found:
            return set()
        time.sleep(0.1)
    return {container["Command"] for container in found}


def _filesystem(engine: Engine, tag: str) -> tarfile.TarFile:
    container = engine.client.create_container(tag, ["true"])
    try:
        return tarfile.open(fileobj=io.BytesIO(b"".join(engine.client.export(container["Id"]))))
    finally:
        engine.client.remove_container(container["Id"])


def test_a_build_from_nothing_to_no_op(
    engine: Engine, context: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(f"-----BEGIN CERTIFICATE-----\n{SECRET}\n-----END CERTIFICATE-----\n")
    pip_conf = tmp_path / "pip.conf"
    pip_conf.write_text(f"[global]\nindex-url = https://user:{SECRET}@index.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(pip_conf))
    # NO_PROXY covers everything, so that the proxy is transported and never needed.
    monkeypatch.setenv("HTTP_PROXY", f"http://user:{SECRET}@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "*")
    spec = ImageSpec(VARIANT, ca_bundle=ca)
    log: list[str] = []

    assert find_image(engine, spec) is None
    tag = ensure_image(engine, spec, log.append)
    assert find_image(engine, spec) == tag
    assert any(line.startswith("Step 1/") for line in log)

    log.clear()
    assert ensure_image(engine, spec, log.append) == tag
    assert log == []

    # The cached stages as well: whoever may use the engine can look into them.
    for image in (tag, *_stages(engine)):
        history = str(engine.client.history(image)) + str(engine.client.inspect_image(image))
        assert SECRET not in history
        assert "proxy.example" not in history.lower()
        assert "site-files:" not in history
        with _filesystem(engine, image) as files:
            for entry in files:
                content = files.extractfile(entry) if entry.isfile() else None
                assert content is None or SECRET.encode() not in content.read(), entry.name
    with _filesystem(engine, tag) as files:
        names = files.getnames()
        assert not [name for name in names if name.endswith(("ca-bundle.crt", "pip.conf", "ca.pem"))]
        assert "workspace/output" in names
        assert "workspace/quantization/pyproject.toml" in names
        assert "opt/quantization/intel_quantization/__main__.py" in names
        for entry in files:
            assert entry.mode & 0o004 or not entry.isfile() or not entry.name.startswith(("opt/", "workspace/"))


def test_old_stages_do_not_pile_up(engine: Engine, context: Path) -> None:
    before = len(_tags(engine))
    for number in range(3):
        (context / "quantization/intel_quantization/__init__.py").write_text(f"VALUE = {number}\n")
        ensure_image(engine, ImageSpec(VARIANT), lambda _line: None)
    assert len(_stages(engine)) == 1
    assert len(_tags(engine)) == before + 3


def test_clean_takes_what_is_ours_and_nothing_else(
    engine: Engine, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real images of this machine are not this test's to remove.
    monkeypatch.setattr(
        "launch_quantization.runtimes.docker.image.build.finished_images",
        lambda *found: [one for one in finished_images(*found) if f":{VARIANT}-" in one.tags[0]],
    )
    monkeypatch.setattr(
        "launch_quantization.runtimes.docker.image.build.leftovers", lambda engine, _busy: _stages(engine)
    )
    tag = ensure_image(engine, ImageSpec(VARIANT), lambda _line: None)
    (context / "quantization/intel_quantization/__init__.py").write_text("REPLACED = 1\n")
    old, tag = tag, ensure_image(engine, ImageSpec(VARIANT), lambda _line: None)
    mine = f"built-on-ours:{VARIANT}"
    recipe = io.BytesIO(f"FROM {old}\nLABEL mine=1\n".encode())
    list(engine.client.build(fileobj=recipe, tag=mine, decode=True, rm=True))
    try:
        promised = remove_images(engine, dry_run=True)
        assert old in promised
        assert set(remove_images(engine)) == set(promised)
        assert image_id(engine, mine) is not None
        assert image_id(engine, tag) is not None
        assert image_id(engine, old) is None
    finally:
        engine.client.remove_image(mine)


def test_building_anew_leaves_no_nameless_image(engine: Engine, context: Path) -> None:
    tag = ensure_image(engine, ImageSpec(VARIANT), lambda _line: None)
    before = image_id(engine, tag)
    log: list[str] = []
    assert ensure_image(engine, ImageSpec(VARIANT), log.append, force=True) == tag
    assert not any("Using cache" in line for line in log)
    assert before is not None
    assert image_id(engine, tag) != before
    assert image_id(engine, before) is None


def test_a_failing_step_leaves_no_container(engine: Engine, context: Path) -> None:
    (context / "quantization/backend.py").write_text("raise SystemExit('on purpose')\n")
    log: list[str] = []
    with pytest.raises(BuildError, match=r"failed at Step \d+/\d+ : RUN"):
        ensure_image(engine, ImageSpec(VARIANT), log.append)
    assert any("on purpose" in line for line in log)
    assert _containers_of_builds(engine) == set()
    assert find_image(engine, ImageSpec(VARIANT)) is None


def test_an_interrupted_build_leaves_neither_image_nor_container(engine: Engine, context: Path) -> None:
    backend = context / "quantization/backend.py"
    backend.write_text(f"import time\ntime.sleep(1000)\n{backend.read_text()}")

    def interrupt(line: str) -> None:
        if line.startswith("Processing /build/quantization"):
            raise Interrupted(2)

    with pytest.raises(Interrupted):
        ensure_image(engine, ImageSpec(VARIANT), interrupt)
    assert find_image(engine, ImageSpec(VARIANT)) is None
    assert _containers_of_builds(engine) == set()


def test_a_base_that_is_none(engine: Engine) -> None:
    with pytest.raises(BuildError) as caught:
        ensure_image(engine, ImageSpec(VARIANT, base_image="localhost:1/no-such-base:1"), lambda _line: None)
    assert "image/base/make_base.sh" in caught.value.remedy


def test_built_twice_it_is_saved_as_the_same_bytes_and_can_be_loaded(engine: Engine, tmp_path: Path) -> None:
    spec = ImageSpec(VARIANT)
    found = []
    for name in ("one.tar", "other.tar"):
        tag = ensure_image(engine, spec, lambda _line: None, force=True)
        found.append(save_image(engine, tag, tmp_path / name))
    assert found[0] == found[1]
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "other.tar").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "context") == ["one.tar", "other.tar"]

    assert image_id(engine, tag) != found[0].image_id
    with (tmp_path / "one.tar").open("rb") as file:
        list(engine.client.load_image(file))
    assert image_id(engine, tag) == found[0].image_id
    assert find_image(engine, spec) == tag


def test_an_image_that_cannot_be_saved(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ImageMissingError, match="is not on the engine"):
        save_image(engine, "quantization:nothing", tmp_path / "a.tar")
    tag = ensure_image(engine, ImageSpec(VARIANT), lambda _line: None)
    with pytest.raises(OutputRefusedError, match="cannot write"):
        save_image(engine, tag, tmp_path / "nowhere" / "a.tar")
    assert not list(tmp_path.glob("*.tar"))
