"""A headless Chromium to test pages with, driven by its DevTools protocol over a pipe: no driver, no port."""

import json
import os
import select
import shutil
import subprocess
import time


def find_chromium():
    """Returns the path of an installed Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


class Browser:
    """Page in a separate headless Chromium.

    Args:
        profile: Path of an empty folder, for the browser's profile.
        gpu: Bool, whether to enable WebGPU, in software. Defaults to False.

    Attributes:
        requested: List of the addresses of all requests so far.
        errors: List of the texts of uncaught errors so far.
    """

    def __init__(self, profile, gpu=False):
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        options = ["--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--disable-dev-shm-usage"]
        options += ["--disable-background-networking", "--no-first-run"]
        # A fake camera with a test picture, without a prompt.
        options += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        options += ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"] if gpu else ["--disable-gpu"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")
        # Chromium reads commands from file descriptor 3 and answers on 4.
        redirect = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", redirect, "bash", find_chromium(), *options],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._count, self._buffer, self._session = 0, b"", {}
        self.requested, self.errors = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        for domain in ("Page", "Runtime", "Network", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Calls a method of the [protocol](https://chromedevtools.github.io/devtools-protocol/), returns its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params, **self._session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def _receive(self):
        while b"\0" not in self._buffer:
            if not select.select([self._in], [], [], 60)[0]:
                raise TimeoutError("Chromium has not answered for 60 seconds.")
            received = os.read(self._in, 1 << 20)
            if not received:
                raise RuntimeError("Chromium has ended.")
            self._buffer += received
        message, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(message)
        if message.get("method") == "Network.requestWillBeSent":
            self.requested.append(message["params"]["request"]["url"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(message["params"]["exceptionDetails"]["exception"].get("description", "?"))
        return message

    def evaluate(self, expression):
        """Returns the value of a JavaScript expression, awaited if it is a promise."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"].get("description", expression))
        return result["result"].get("value")

    def wait(self, expression, seconds=30):
        """Waits until a JavaScript expression is true, and returns its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.evaluate(expression):
                return value
            time.sleep(0.02)
        raise TimeoutError(f"Not true after {seconds} seconds: {expression}")

    def open(self, url):
        """Opens a page and waits until its modules have run."""
        self.call("Page.navigate", url=url)
        self.wait(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def choose_file(self, selector, path):
        """Chooses a file in an `<input type="file">`, as a user would."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def close(self):
        """Ends the browser."""
        os.close(self._out)
        os.close(self._in)
        self._process.terminate()
        self._process.wait(10)
