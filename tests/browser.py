"""A headless Chromium, driven over a pair of pipes (its DevTools protocol): what tests and looking at pages need of it.

Written here, as nothing of it is more than a JSON object and a zero byte: Playwright would be 45 MB more for each make.
Run as a program (``make browser``), it says which browser that is, or ends with status 1 and what to do.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SECONDS = 60
_START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
for end, number in zip(ends, (3, 4)):  # it reads from 3 and writes to 4
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_browser() -> str | None:
    """The program, or None; CHROMIUM names one that is not on PATH, and then no other is taken.

    Each is asked for its version: what Ubuntu has of that name is a script that asks for a snap.
    """
    named = os.environ.get("CHROMIUM")
    candidates = [named] if named else filter(None, map(shutil.which, NAMES))
    return next(filter(_starts, candidates), None)


def _starts(program: str) -> bool:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def what_to_do() -> str:
    """What helps where no browser is found."""
    named = os.environ.get("CHROMIUM")
    if named:
        return f"CHROMIUM={named} does not start; name another program, or unset it to look on PATH"
    return (
        f"no Chromium here that starts (looked for: {', '.join(NAMES)}). On Debian: apt-get install chromium. Ubuntu "
        "has it as a snap only, which needs snapd and sees no files in /tmp: install Google's package instead "
        "(https://www.google.com/chrome/, apt-get install ./google-chrome-stable_current_amd64.deb). "
        "Or name any Chromium: CHROMIUM=/path/to/chrome make test"
    )


class Browser:
    """Runs it with one page; a context manager.

    Attributes:
        requests: addresses that were asked for since the last :meth:`open`, the page itself not among them.
        complaints: errors and warnings of the page since then: of its console, its scripts, its security policy.
    """

    def __init__(self) -> None:
        program = find_browser()
        if program is None:
            raise RuntimeError(what_to_do())
        self._profile = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        command_read, self._commands = os.pipe()
        self._answers, answer_write = os.pipe()
        words = [program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"]
        words += ["--no-first-run", "--disable-dev-shm-usage", f"--user-data-dir={self._profile.name}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(command_read), str(answer_write), *words],
            pass_fds=(command_read, answer_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._profile.name},
        )
        os.close(command_read)
        os.close(answer_write)
        self._number, self._unread = 0, b""
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._page, self._loaded = "", False
        self._session: str | None = None
        try:
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Network", "Runtime", "Log"):
                self._call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)
        self._profile.cleanup()

    def open(self, page: Path, width: int = 1000, height: int = 800, dark: bool = False) -> None:
        """Show a file in a window of this size, and wait until it is loaded."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self.requests, self.complaints, self._loaded = [], [], False
        self._page = page.resolve().as_uri()
        self._call("Page.navigate", url=self._page)
        end = time.monotonic() + _SECONDS
        while not self._loaded:
            self._read(end)

    def run(self, script: str) -> Any:
        """What an expression of JavaScript gives, as JSON can say it.

        Raises:
            RuntimeError: it throws.
        """
        told = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise RuntimeError(told["exceptionDetails"]["exception"]["description"])
        return told["result"].get("value")

    def key(self, key: str) -> None:
        """Press and release a key."""
        for kind in ("rawKeyDown", "keyUp"):
            code = 13 if key == "Enter" else 0
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        told = self._call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(told["data"]))

    def printed(self) -> bytes:
        """The page as PDF."""
        return base64.b64decode(self._call("Page.printToPDF")["data"])

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _SECONDS
        while True:
            told = self._read(end)
            if told.get("id") == self._number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']['message']}")
                return told["result"]

    def _read(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            if not select.select([self._answers], [], [], max(end - time.monotonic(), 0.0))[0]:
                raise TimeoutError(f"the browser said nothing for {_SECONDS} seconds")
            data = os.read(self._answers, 1 << 16)
            if not data:
                raise RuntimeError(f"the browser ended with status {self._process.wait()}")
            self._unread += data
        text, _zero, self._unread = self._unread.partition(b"\0")
        told = json.loads(text)
        self._note(told.get("method", ""), told.get("params", {}))
        return told

    def _note(self, event: str, about: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            address = about["request"]["url"]
            if address != self._page and not address.startswith("data:"):
                self.requests.append(address)
        elif event == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif event == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(each.get("value")) for each in about["args"]))
        elif event == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.complaints.append(about["entry"]["text"])


def main() -> int:
    """Returns the exit status."""
    found = find_browser()
    print(found or f"make browser: {what_to_do()}", file=sys.stdout if found else sys.stderr)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
