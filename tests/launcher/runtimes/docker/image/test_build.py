"""Which image is used, when it is built, and how a failed build is explained: against a fake engine."""

from __future__ import annotations

import io
import json
import tarfile
import urllib.parse
from pathlib import Path

import pytest

from launch_quantization.errors import BuildError, EngineUnreachableError
from launch_quantization.runtimes.docker.engine import Engine, connect
from launch_quantization.runtimes.docker.image.base import BaseUnavailableError
from launch_quantization.runtimes.docker.image.build import BASE_VARIABLE, LATEST, ImageSpec, ensure_image, find_image
from launch_quantization.runtimes.docker.image.store import (
    INPUTS_LABEL,
    VARIANT_LABEL,
    image_content,
    image_id,
    own_tags,
)
from tests.launcher.fake_engine import INFO, Answer, FakeEngine, Request, reply, stream
from tests.launcher.tiny_context import LOCAL_BASE, REGISTRY_BASE, VARIANT, make_tiny_context

SPEC = ImageSpec(VARIANT)
MISSING = reply({"message": "No such image"}, "404 Not Found")


class Store:
    """The images that a fake engine has; a build or a pull adds one."""

    def __init__(self, folder: Path, *names: str, kind: str = "overlay2") -> None:
        self.kind = kind  # of the engine's store; its kinds differ in what they take for an image's id
        self.environment = ["PATH=/usr/bin", "LANG=C.UTF-8"]
        self.images = {name: f"sha256:{name}" for name in names}
        self.build: Answer = self._build
        self.pull: Answer = self._pull
        self.fake = FakeEngine(
            folder,
            {
                "GET .*/images/.+/json": self._inspect,
                "GET .*/images/json": lambda _request: reply([]),
                "POST .*/build": lambda request: _answer(self.build, request),
                "POST .*/images/create": lambda request: _answer(self.pull, request),
                "POST .*/images/.+/tag": lambda _request: reply({}, "201 Created"),
                "POST .*/containers/create": lambda _request: reply({"Id": "lock"}, "201 Created"),
                "DELETE .*/containers/.+": lambda _request: b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            },
        )

    def _inspect(self, request: Request) -> bytes:
        name = urllib.parse.unquote(request.path.split("/images/")[1].removesuffix("/json"))
        if name not in self.images:
            return MISSING
        layers = {"Type": "layers", "Layers": [self.images[name]]}
        return reply(
            {"Id": f"{self.images[name]} in {self.kind}", "RootFS": layers, "Config": {"Env": self.environment}}
        )

    def _build(self, request: Request) -> bytes:
        tag = query(request)["t"]
        self.images[tag] = f"sha256:built {tag}"
        return stream({"stream": "Step 1/2 : FROM base\n"}, {"stream": "half a "}, {"stream": "line\n"})

    def _pull(self, request: Request) -> bytes:
        asked = query(request)
        name = f"{asked['fromImage']}:{asked['tag']}"
        self.images[name] = f"sha256:{name}"
        return stream({"status": "Pulling", "id": "a1"}, {"status": "Downloading", "progressDetail": {"current": 1}})


def _answer(answer: Answer, request: Request) -> bytes:
    return answer(request) if callable(answer) else answer


def query(request: Request) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.path).query))


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny context, and no settings of whoever runs the tests."""
    root = make_tiny_context(tmp_path / "context")
    for module in ("launch_quantization.building.context", "launch_quantization.runtimes.docker.image.provenance"):
        monkeypatch.setattr(f"{module}.context_root", lambda: root)
    monkeypatch.delenv(BASE_VARIABLE, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / ".docker"))
    return root


@pytest.fixture
def log() -> list[str]:
    return []


def engine_of(store: Store, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("DOCKER_HOST", store.fake.address)
    return connect()


@pytest.fixture
def store(tmp_path: Path, context: Path) -> Store:
    return Store(tmp_path, LOCAL_BASE)


def test_an_unchanged_build_is_a_no_op(store: Store, monkeypatch: pytest.MonkeyPatch, log: list[str]) -> None:
    with store.fake as fake:
        engine = engine_of(store, monkeypatch)
        assert find_image(engine, SPEC) is None
        tag = ensure_image(engine, SPEC, log.append)
        assert log == ["Step 1/2 : FROM base", "half a line"]
        assert ensure_image(engine, SPEC, log.append) == tag == find_image(engine, SPEC)
        assert len(fake.asked("POST .*/build")) == 1
        assert ensure_image(engine, SPEC, log.append, force=True) == tag
        assert [query(request).get("nocache") for request in fake.asked("POST .*/build")] == ["False", "True"]


def test_the_tag_follows_the_context_and_the_base(
    store: Store, context: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    with store.fake:
        engine = engine_of(store, monkeypatch)
        tags = [ensure_image(engine, SPEC, log.append)]
        (context / "quantization/intel_quantization/__init__.py").write_text("# changed\n")
        tags.append(ensure_image(engine, SPEC, log.append))
        store.images[LOCAL_BASE] = "sha256:another"
        tags.append(ensure_image(engine, SPEC, log.append))
    assert len(set(tags)) == 3
    assert all(tag.startswith(f"quantization:{VARIANT}-") for tag in tags)


def test_the_tag_is_the_same_in_every_kind_of_store(
    tmp_path: Path, context: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    tags = set()
    for kind in ("overlay2", "containerd"):
        (tmp_path / kind).mkdir()
        store = Store(tmp_path / kind, LOCAL_BASE, kind=kind)
        with store.fake:
            engine = engine_of(store, monkeypatch)
            assert image_id(engine, LOCAL_BASE) == f"sha256:{LOCAL_BASE} in {kind}"
            tags.add(ensure_image(engine, SPEC, log.append))
    assert len(tags) == 1


def test_what_runs_begin_with_counts_as_content(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.fake:
        engine = engine_of(store, monkeypatch)
        before = image_content(engine, LOCAL_BASE)
        store.environment = ["PATH=/elsewhere"]
        assert image_content(engine, LOCAL_BASE) != before


def test_the_tag_does_not_follow_the_build_site(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    with store.fake:
        engine = engine_of(store, monkeypatch)
        tag = ensure_image(engine, SPEC, log.append)
        ca = tmp_path / "ca.pem"
        ca.write_text("-----BEGIN CERTIFICATE-----")
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
        assert find_image(engine, ImageSpec(VARIANT, ca_bundle=ca)) == tag


def test_what_a_build_sends(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]) -> None:
    config = tmp_path / ".docker"
    config.mkdir()
    (config / "config.json").write_text(json.dumps({"auths": {"registry.example": {"auth": "dXNlcjpzZWNyZXQ="}}}))
    ca = tmp_path / "ca.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    with store.fake as fake:
        ensure_image(engine_of(store, monkeypatch), ImageSpec(VARIANT, ca_bundle=ca), log.append)
        (request,) = fake.asked("POST .*/build")
    assert "x-registry-config" not in request.headers, "no stored password leaves for a build"
    asked = query(request)
    assert asked["rm"] == asked["forcerm"] == "True"
    arguments = json.loads(asked["buildargs"])
    assert arguments["BASE_IMAGE"] == LOCAL_BASE
    assert arguments["TENSORFLOW"] == VARIANT
    assert arguments["https_proxy"] == arguments["HTTPS_PROXY"] == "http://proxy.example:3128"
    labels = json.loads(asked["labels"])
    assert labels["org.opencontainers.image.base.name"] == LOCAL_BASE
    assert not any("proxy" in text for text in labels.values())
    with tarfile.open(fileobj=io.BytesIO(request.body)) as archive:
        assert not [name for name in archive.getnames() if "ca-bundle" in name or "pip.conf" in name]
    assert arguments["FTP_PROXY"].startswith("site-files:")


@pytest.mark.parametrize(
    ("option", "variable", "chosen"),
    [("mine:1", "other:1", "mine:1"), (None, "other:1", "other:1"), (None, None, LOCAL_BASE)],
)
def test_which_base_is_taken(
    tmp_path: Path,
    context: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: list[str],
    option: str | None,
    variable: str | None,
    chosen: str,
) -> None:
    store = Store(tmp_path, LOCAL_BASE, "mine:1", "other:1")
    if variable is not None:
        monkeypatch.setenv(BASE_VARIABLE, variable)
    with store.fake as fake:
        ensure_image(engine_of(store, monkeypatch), ImageSpec(VARIANT, option), log.append)
        (request,) = fake.asked("POST .*/build")
    assert json.loads(query(request)["buildargs"])["BASE_IMAGE"] == chosen


def test_a_missing_base_is_pulled(
    tmp_path: Path, context: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    store = Store(tmp_path)
    with store.fake:
        ensure_image(engine_of(store, monkeypatch), SPEC, log.append)
    assert REGISTRY_BASE in store.images
    assert log[:2] == [f"Pulling {REGISTRY_BASE}", "a1 Pulling"]


@pytest.mark.parametrize(
    "answer",
    [
        stream({"error": "toomanyrequests: rate limit"}),
        reply({"message": "Get registry: dial tcp: no route to host"}, "500 Internal Server Error"),
        stream({"status": "Pulling"}, ends=False),
        stream({"status": "done, and nothing there"}),
    ],
)
def test_a_failed_pull_names_the_other_way(
    tmp_path: Path, context: Path, monkeypatch: pytest.MonkeyPatch, log: list[str], answer: bytes
) -> None:
    store = Store(tmp_path)
    store.pull = answer
    with store.fake, pytest.raises(BuildError) as caught:
        ensure_image(engine_of(store, monkeypatch), SPEC, log.append)
    assert REGISTRY_BASE in caught.value.message
    assert "image/base/make_base.sh" in caught.value.remedy
    assert isinstance(caught.value, BaseUnavailableError)


def test_a_base_that_somebody_named_has_no_other_way(
    tmp_path: Path, context: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    store = Store(tmp_path)
    store.pull = stream({"error": "no registry"})
    with store.fake, pytest.raises(BuildError, match="cannot pull mine:1") as caught:
        ensure_image(engine_of(store, monkeypatch), ImageSpec(VARIANT, "mine:1"), log.append)
    assert not isinstance(caught.value, BaseUnavailableError)


def test_the_other_way_of_an_old_python_is_a_copy(
    tmp_path: Path, context: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    source = context / f"image/requirements/tensorflow-{VARIANT}.in"
    source.write_text("# python: 3.7\n# base: python:3.7.17-slim-bookworm\n")
    store = Store(tmp_path, LOCAL_BASE)
    store.pull = stream({"error": "no registry"})
    with store.fake, pytest.raises(BuildError, match=r"cannot pull python:3\.7\.17-slim-bookworm") as caught:
        ensure_image(engine_of(store, monkeypatch), SPEC, log.append)
    assert "image/base/make_base.sh --python TREE" in caught.value.remedy
    assert "quantization-base:py3.7" in caught.value.remedy


def test_an_image_is_known_without_its_base(
    tmp_path: Path, context: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    store = Store(tmp_path)
    asked: list[str] = []

    def found(request: Request) -> bytes:
        asked.append(query(request)["filters"])
        labels = {VARIANT_LABEL: VARIANT}
        built_on_ours = {"Id": "sha256:2", "RepoTags": ["quantization:mine"], "Labels": labels}
        ours = {"Id": "sha256:1", "RepoTags": [LATEST, f"quantization:{VARIANT}-0123456789ab"], "Labels": labels}
        return reply([built_on_ours, ours])

    store.fake.answers["GET .*/images/json"] = found
    with store.fake:
        tag = ensure_image(engine_of(store, monkeypatch), SPEC, log.append)
    assert tag == f"quantization:{VARIANT}-0123456789ab"
    assert INPUTS_LABEL in asked[0]


@pytest.mark.parametrize(
    ("tags", "ours"),
    [
        (["quantization:2.14-0123456789ab"], ["quantization:2.14-0123456789ab"]),
        (
            ["registry.example/q:1", LATEST, "quantization:2.14-0123456789ab"],
            ["quantization:2.14-0123456789ab", LATEST],
        ),
        (["mine:latest"], []),
        (["quantization:mine"], []),
        (["quantization:2.15-0123456789ab"], []),
        ([LATEST], []),
        (["<none>:<none>"], []),
        (None, []),
    ],
)
def test_what_users_build_on_our_images_is_not_ours(tags: list[str] | None, ours: list[str]) -> None:
    """It inherits every label."""
    assert list(own_tags({"Id": "sha256:1", "RepoTags": tags, "Labels": {VARIANT_LABEL: "2.14"}})) == ours


@pytest.mark.parametrize(
    ("entries", "message", "remedy"),
    [
        (
            [
                {"stream": "Step 5/9 : RUN pip install\n"},
                {"stream": "SSLError: CERTIFICATE_VERIFY_FAILED\n"},
                {"error": "The command returned a non-zero code: 1"},
            ],
            "Step 5/9 : RUN pip install: The command returned a non-zero code: 1",
            "--ca-bundle",
        ),
        ([{"error": "write /x: No space left on device"}], "No space left", "docker system df"),
        ([{"stream": "Temporary failure in name resolution\n"}, {"error": "code: 1"}], "code: 1", "HTTPS_PROXY"),
        ([{"error": "\x1b]0;title\x07odd"}], "odd", "above"),
    ],
)
def test_a_failed_step_is_explained(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    log: list[str],
    entries: list[dict[str, str]],
    message: str,
    remedy: str,
) -> None:
    store.build = stream(*entries)
    with store.fake, pytest.raises(BuildError) as caught:
        ensure_image(engine_of(store, monkeypatch), SPEC, log.append)
    assert message in caught.value.message
    assert "\x1b" not in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    "answer",
    [
        stream({"stream": "Step 1/9 : FROM base\n"}, ends=False),
        stream({"stream": "Step 1/9 : FROM base\n"}),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnot a chunk",
        b"",
    ],
)
def test_an_engine_that_breaks_off_a_build(
    store: Store, monkeypatch: pytest.MonkeyPatch, log: list[str], answer: bytes
) -> None:
    store.build = answer
    with store.fake, pytest.raises((BuildError, EngineUnreachableError)):
        ensure_image(engine_of(store, monkeypatch), SPEC, log.append)


def test_an_endless_line_of_a_build_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch, log: list[str]) -> None:
    store.build = stream(*[{"stream": "x" * 10_000}] * 20)
    with store.fake, pytest.raises(BuildError):
        ensure_image(engine_of(store, monkeypatch), SPEC, log.append)
    assert max(len(line) for line in log) <= 4000


def test_another_architecture_is_explained_before_anything_is_built(
    store: Store, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    store.fake.answers["GET /info"] = reply({**INFO, "Architecture": "aarch64"})
    store.fake.answers["GET .*/info"] = reply({**INFO, "Architecture": "aarch64"})
    with store.fake as fake:
        with pytest.raises(BuildError, match="aarch64"):
            ensure_image(engine_of(store, monkeypatch), SPEC, log.append)
        assert not fake.asked("POST .*/build")
