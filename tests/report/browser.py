# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headless Chromium in a network namespace of its own, spoken to through two pipes: it needs no port and no library."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from typing import Any, Dict, Iterator, List, Optional

PROGRAM = shutil.which("chromium")
SECONDS = 30.0


class Browser:
    """One page of one browser; use it in a ``with`` statement.

    Attributes:
        events: what the browser told unasked, such as errors on its console.
    """

    def __init__(self) -> None:
        self.events: List[Dict[str, Any]] = []
        self._profile = tempfile.mkdtemp(prefix="edge-report-")
        (theirs_in, self._out), (self._in, theirs_out) = os.pipe(), os.pipe()
        self._rest, self._number, self._session = b"", 0, ""

        alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
        # the browser reads 3 and writes 4
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec 3<&{theirs_in} 4>&{theirs_out} "$@"', "bash",
             *alone, str(PROGRAM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={self._profile}", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)

    def __enter__(self) -> Browser:
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(entry["targetId"] for entry in targets if entry["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_problem: object) -> None:
        try:
            self._session = ""
            self.call("Browser.close")
            self._process.wait(5)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._out)
        os.close(self._in)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method: str, **params: Any) -> Dict[str, Any]:
        """Call a method of the Chrome DevTools protocol and wait for its answer."""
        self._number += 1
        message: Dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        answer = self._until(lambda entry: entry.get("id") == self._number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return dict(answer.get("result", {}))

    def _until(self, wanted: Any) -> Dict[str, Any]:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            while b"\0" in self._rest:
                line, _nul, self._rest = self._rest.partition(b"\0")
                entry: Dict[str, Any] = json.loads(line)
                if wanted(entry):
                    return entry
                self.events.append(entry)
            if select.select([self._in], [], [], 1)[0]:
                data = os.read(self._in, 1 << 20)
                if not data:
                    break
                self._rest += data
        raise RuntimeError("the browser does not answer")

    def show(self, path: str, width: int, *, scheme: str = "light", media: str = "", scale: float = 1) -> None:
        """Open a file in a window of that width."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=scale, mobile=width < 640)
        self.call("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
        for address in ("about:blank", f"file://{path}"):      # another place in the same page would not be loaded
            self.call("Page.navigate", url=address)
            if not any(entry.get("method") == "Page.loadEventFired" for entry in self.events):
                self._until(lambda entry: entry.get("method") == "Page.loadEventFired")
            self.events = [entry for entry in self.events if entry.get("method") != "Page.loadEventFired"]

    @contextlib.contextmanager
    def clock(self, now: str) -> Iterator[None]:
        """What pages take for the present time."""
        script = f"Date.now = () => Date.parse({json.dumps(now)});"
        name = self.call("Page.addScriptToEvaluateOnNewDocument", source=script)["identifier"]
        try:
            yield
        finally:
            self.call("Page.removeScriptToEvaluateOnNewDocument", identifier=name)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; the browser's tool, so the page's own policy does not stop it."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, key: str, code: Optional[int] = None) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code or 0, **text)

    def picture(self, path: str, height: int) -> None:
        """A picture of the page's upper part."""
        width = self.run("document.documentElement.clientWidth")
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                           clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})
        with open(path, "wb") as stream:
            stream.write(base64.b64decode(answer["data"]))

    @property
    def complaints(self) -> List[str]:
        """Errors and warnings on the console, and violations of the page's policy."""
        found = []
        for entry in self.events:
            params = entry.get("params", {})
            if entry.get("method") == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"].get("text")))
            elif entry.get("method") == "Log.entryAdded":
                found.append(str(params["entry"]["text"]))
            elif entry.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(str(params["args"]))
        return found

    @property
    def requests(self) -> List[str]:
        """Addresses of all that the page asked for."""
        return [entry["params"]["request"]["url"].partition("#")[0] for entry in self.events
                if entry.get("method") == "Network.requestWillBeSent"]
