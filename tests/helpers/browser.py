"""A real browser, headless, driven over chromedriver's plain HTTP (the W3C's WebDriver)."""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DRIVER, CHROMIUM = shutil.which("chromedriver"), shutil.which("chromium")
MISSING = DRIVER is None or CHROMIUM is None
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One window; `call` speaks to the driver's session."""

    def __init__(self, driver: str, session: str) -> None:
        self._address = f"{driver}/session/{session}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return _request(method, self._address + path, body)

    def open(self, address: str) -> None:
        self.call("POST", "/url", {"url": address})

    def reload(self) -> None:
        self.call("POST", "/refresh", {})

    def script(self, words: str) -> Any:
        """What a piece of JavaScript returns."""
        return self.call("POST", "/execute/sync", {"script": words, "args": []})

    def tap(self, selector: str) -> Any:
        """Tap what a person sees there; refused by the driver where something covers it. What the
        page replaces in this very moment is looked for again, as a person would."""
        while True:
            element = self.call("POST", "/element", {"using": "css selector", "value": selector})
            try:
                return self.call("POST", f"/element/{element[ELEMENT]}/click", {})
            except AssertionError as error:
                if "stale element reference" not in str(error):
                    raise

    def press(self, key: str) -> None:
        """A key on the keyboard."""
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        body = {"actions": [{"type": "key", "id": "keyboard", "actions": keys}]}
        self.call("POST", "/actions", body)

    def until(self, words: str, seconds: float = 120) -> Any:
        """Wait for a script to return something true, and return it."""
        end = time.monotonic() + seconds
        while not (value := self.script(words)):
            assert time.monotonic() < end, f"{words} stayed false"
            time.sleep(0.03)
        return value

    def dark(self, is_dark: bool = True) -> None:
        feature = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        body = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": [feature]}}
        self.call("POST", "/goog/cdp/execute", body)

    def picture(self, file: Path) -> None:
        """A screenshot."""
        file.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))


@contextmanager
def browser(folder: Path, width: int, height: int, is_phone: bool) -> Iterator[Browser]:
    """A window of this size, with its profile in the folder; a phone's has touch."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    driver = subprocess.Popen(
        [str(DRIVER), f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(address)
        options: dict[str, Any] = {
            "binary": CHROMIUM,
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                f"--user-data-dir={folder / 'profile'}",
                f"--window-size={width},{height}",
            ],
        }
        if is_phone:
            metrics = {"width": width, "height": height, "pixelRatio": 2, "touch": True}
            options["mobileEmulation"] = {"deviceMetrics": metrics}
        capabilities = {"alwaysMatch": {"goog:chromeOptions": options}}
        session = _request("POST", f"{address}/session", {"capabilities": capabilities})
        window = Browser(address, session["sessionId"])
        try:
            yield window
        finally:
            window.call("DELETE", "")
    finally:
        driver.terminate()
        driver.wait(20)


def _await(address: str) -> None:
    for _ in range(200):
        try:
            if _request("GET", f"{address}/status", None)["ready"]:
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.05)
    raise AssertionError("chromedriver does not answer")


def _request(method: str, address: str, body: dict[str, Any] | None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
    request.method = method
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as reply:
            return json.load(reply)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{address}: {error.read().decode()[:500]}") from error
