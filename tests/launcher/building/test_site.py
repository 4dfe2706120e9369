"""What the build site lends a build: CA, proxies, package index."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from launch_quantization.building.site import CA_VARIABLES, BuildSite, build_site
from launch_quantization.errors import BuildError, UsageError

ROOT = Path(__file__).resolve().parents[3]
PEM = b"-----BEGIN CERTIFICATE-----\nMII...\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"]
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        names += [name, name.lower()]
    for name in (*names, "PIP_RETRIES", "XDG_CONFIG_HOME", *CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    # An empty file, so that the settings in /etc of whoever runs the tests are not asked for a CA.
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


@pytest.fixture
def log() -> list[str]:
    return []


def bundle(path: Path, text: bytes = PEM) -> Path:
    path.write_bytes(text)
    return path


def test_a_site_without_settings_lends_nothing(log: list[str]) -> None:
    assert build_site(None, log.append) == BuildSite({}, None, None)
    assert not log


@pytest.mark.parametrize("name", CA_VARIABLES)
def test_the_company_ca_from_the_environment(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    monkeypatch.setenv(name, str(bundle(tmp_path / "ca.pem")))
    assert build_site(None, log.append).ca_bundle == PEM


def test_the_option_beats_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]) -> None:
    monkeypatch.setenv("PIP_CERT", str(bundle(tmp_path / "other.pem", PEM + b"other")))
    assert build_site(bundle(tmp_path / "ca.pem"), log.append).ca_bundle == PEM


def test_a_variable_that_names_no_certificates_is_told_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "absent.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle(tmp_path / "ca.pem")))
    assert build_site(None, log.append).ca_bundle == PEM
    assert [line.split("=")[0] for line in log] == ["PIP_CERT", "REQUESTS_CA_BUNDLE"]


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_bad_option_is_an_error(tmp_path: Path, content: bytes | None, log: list[str]) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="--ca-bundle"):
        build_site(path, log.append)


def test_proxies_go_in_both_spellings(monkeypatch: pytest.MonkeyPatch, log: list[str]) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", ".example")
    site = build_site(None, log.append)
    assert site.proxies == {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "https_proxy": "http://proxy.example:3128",
        "NO_PROXY": ".example",
        "no_proxy": ".example",
    }
    assert site.network is None


def test_no_proxy_alone_is_no_proxy(monkeypatch: pytest.MonkeyPatch, log: list[str]) -> None:
    monkeypatch.setenv("no_proxy", "localhost")
    assert build_site(None, log.append).proxies == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1:3128", "localhost:3128", "http://[::1]:3128"])
def test_a_proxy_on_this_machine_is_reached_over_its_network(
    monkeypatch: pytest.MonkeyPatch, url: str, log: list[str]
) -> None:
    monkeypatch.setenv("HTTP_PROXY", url)
    assert build_site(None, log.append).network == "host"


def test_pip_settings_that_mean_something_in_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://index.example/simple\n"
        "extra-index-url =\n  file:///srv/wheels\n  https://more.example/simple\n"
        "find-links = /srv/wheels\n[install]\nretries = 9\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_RETRIES", "3")
    text = build_site(None, log.append).pip_conf
    assert text is not None
    assert text.decode().splitlines()[1:] == [
        "index-url = https://index.example/simple",
        "extra-index-url = https://more.example/simple",
        "retries = 3",
    ]


def test_a_broken_pip_conf_is_left_to_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]) -> None:
    config = tmp_path / "pip.conf"
    config.write_bytes(b"no section = \xff\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    build_site(None, log.append)


def unpacked(site: BuildSite, folder: Path) -> dict[str, bytes]:
    """What the Dockerfile's program makes of the arguments."""
    folder.mkdir()
    program = [sys.executable, "-I", str(ROOT / "image/site_files.py"), str(folder)]
    subprocess.run(program, env=site.arguments, check=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_certificates_and_settings_go_as_arguments_that_leave_no_trace(tmp_path: Path) -> None:
    settings = b"[global]\nindex-url = https://user:word@index.example/simple\n"
    site = BuildSite({"HTTPS_PROXY": "http://proxy.example:3128"}, PEM, settings)
    assert site.arguments.keys() == {"HTTPS_PROXY", "FTP_PROXY", "ftp_proxy"}
    assert unpacked(site, tmp_path / "both") == {"ca-bundle.crt": PEM, "pip.conf": settings}
    assert unpacked(BuildSite({}, None, None), tmp_path / "none") == {}
    assert unpacked(BuildSite({"FTP_PROXY": "http://proxy.example"}, None, None), tmp_path / "proxy") == {}


def test_all_the_certificates_of_a_distribution_fit(tmp_path: Path) -> None:
    """SSL_CERT_FILE often names those; random bytes pack as badly as certificates do."""
    many = b"".join(
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(os.urandom(1000)) + b"-----END CERTIFICATE-----\n"
        for _ in range(150)
    )
    assert len(many) > 210_000
    assert unpacked(BuildSite({}, many, None), tmp_path / "many") == {"ca-bundle.crt": many}
    with pytest.raises(BuildError, match="too large"):
        _ = BuildSite({}, 2 * many + os.urandom(100_000), None).arguments
