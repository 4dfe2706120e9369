"""What the build site lends an image build: its proxies, its company CA, its package index.

All three reach only the first stage of the image, and none stays on the engine: they go as predefined
build arguments, which leave no trace, the CA and pip's settings in two that image/site_files.py unpacks.
"""

from __future__ import annotations

import base64
import configparser
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from launch_quantization.contract.options import PlaceOptions
from launch_quantization.errors import BuildError, UsageError
from launch_quantization.stream.lines import BuildLog

CA_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Environment variables that may name a company CA, first one first."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_CARRIERS = ("FTP_PROXY", "ftp_proxy")
"""Predefined build arguments that no build needs: what carries the files."""
_MARK = "site-files:"
"""What such an argument begins with; image/site_files.py knows it, too."""
_ARGUMENT_LIMIT = 120_000
"""Characters; Linux allows an environment variable 128 KiB."""
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "timeout", "retries")


@dataclass(frozen=True)
class BuildSite:
    """What a build may use here.

    Attributes:
        proxies: build arguments, each in upper and lower case.
        ca_bundle: PEM certificates, or None.
        pip_conf: text of a pip.conf, or None where pip's defaults do.
    """

    proxies: Mapping[str, str]
    ca_bundle: bytes | None
    pip_conf: bytes | None

    @property
    def arguments(self) -> dict[str, str]:
        """The build arguments.

        Raises:
            BuildError: the certificates are too many.
        """
        pairs = (("ca-bundle.crt", self.ca_bundle), ("pip.conf", self.pip_conf))
        files = {name: data.decode("utf-8", errors="replace") for name, data in pairs if data is not None}
        if not files:
            return dict(self.proxies)
        packed = base64.b64encode(zlib.compress(json.dumps(files).encode(), 9)).decode()
        if len(packed) > 2 * _ARGUMENT_LIMIT:
            raise BuildError(
                f"the CA bundle of {len(self.ca_bundle or b'')} bytes is too large for a build",
                "name a file that holds your company's CA only: --ca-bundle FILE",
            )
        parts = packed[:_ARGUMENT_LIMIT], packed[_ARGUMENT_LIMIT:]
        return {**self.proxies, **dict(zip(_CARRIERS, (_MARK + part for part in parts), strict=True))}

    @property
    def network(self) -> str | None:
        """``host`` where a proxy listens on this machine only, which a bridge would not reach."""
        hosts = {urlsplit(url if "//" in url else f"//{url}").hostname for url in self.proxies.values()}
        return "host" if hosts & {"localhost", "127.0.0.1", "::1"} else None


def build_site(ca_bundle: Path | None, log: BuildLog) -> BuildSite:
    """Gather what this machine's environment says.

    Args:
        ca_bundle: the file named with --ca-bundle; None: what CA_VARIABLES or pip's settings name.
        log: told of settings that cannot be used.

    Raises:
        UsageError: ``ca_bundle`` is no file of PEM certificates.
    """
    settings = dict(_pip_settings())
    return BuildSite(_find_proxies(), _find_certificates(ca_bundle, settings.get("cert"), log), _pip_conf(settings))


def _find_proxies() -> dict[str, str]:
    found = {}
    for name in _PROXIES:
        value = os.environ.get(name.lower()) or os.environ.get(name)
        if value:
            found[name] = found[name.lower()] = value
    return found if found.keys() - {"NO_PROXY", "no_proxy"} else {}


def _find_certificates(named: Path | None, from_pip: str | None, log: BuildLog) -> bytes | None:
    if named is not None:
        return named_certificates(named)
    candidates = [(name, os.environ.get(name)) for name in CA_VARIABLES] + [("cert in pip's settings", from_pip)]
    for name, value in candidates:
        if not value:
            continue
        data = _read_pem(Path(value).expanduser())
        if data is not None:
            return data
        log(f"{name}={value} is not a readable file of PEM certificates; left out of the build")
    return None


def named_certificates(path: Path) -> bytes:
    """The content of the file named with --ca-bundle.

    Raises:
        UsageError: it is no file of PEM certificates.
    """
    remedy = "name a file with the CA in PEM format: --ca-bundle FILE"
    if not path.is_file():
        raise UsageError(f"--ca-bundle {path}: there is no such file", remedy)
    data = _read_pem(path)
    if data is None:
        raise UsageError(f"--ca-bundle {path}: not a readable file of PEM certificates", remedy)
    return data


def _read_pem(path: Path) -> bytes | None:
    try:
        data = path.read_bytes() if path.is_file() else b""
    except OSError:
        return None
    return data if b"-----BEGIN CERTIFICATE-----" in data else None


def _pip_conf(settings: Mapping[str, str]) -> bytes | None:
    """The settings that mean something in a container too; an index in a local directory does not."""
    kept = {}
    for key in _PIP_KEYS:
        words = settings.get(key, "").split()
        if key.endswith("index-url"):
            words = [word for word in words if urlsplit(word).scheme in ("http", "https")]
        if words:
            kept[key] = words
    if not kept:
        return None
    lines = [f"{key} = {' '.join(words)}" for key, words in kept.items()]
    return "\n".join(["[global]", *lines, ""]).encode()


def _pip_settings() -> Iterator[tuple[str, str]]:
    """pip's settings as key and value, weakest first: its files for all and for the user, its environment."""
    # pip takes os.devnull for: no files at all.
    if os.environ.get("PIP_CONFIG_FILE") != os.devnull:
        home = Path(os.path.expanduser("~"))
        settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        paths = [Path("/etc/pip.conf"), home / ".pip/pip.conf", settings / "pip/pip.conf"]
        if os.environ.get("PIP_CONFIG_FILE"):
            paths.append(Path(os.environ["PIP_CONFIG_FILE"]))
        for path in paths:
            yield from _pip_file(path)
    for key in _PIP_KEYS:
        value = os.environ.get("PIP_" + key.upper().replace("-", "_"))
        if value:
            yield key, value
    if os.environ.get("PIP_DEFAULT_TIMEOUT"):
        yield "timeout", os.environ["PIP_DEFAULT_TIMEOUT"]


def _pip_file(path: Path) -> Iterator[tuple[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError):
        return  # pip itself is the one to complain of its files
    for section in ("global", "install"):
        if parser.has_section(section):
            yield from parser.items(section)


def ca_path(options: PlaceOptions) -> Path | None:
    """--ca-bundle as a path, or None; checked although perhaps nothing will be built.

    Raises:
        UsageError: it is no file of PEM certificates.
    """
    if options.ca_bundle is None:
        return None
    path = Path(options.ca_bundle)
    named_certificates(path)
    return path
