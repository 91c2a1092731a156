"""Caches a folder in processes that are killed, out of disk space, or several at once; prints results as JSON.

python tests/scripts/datasets_cache.py FOLDER PLACE SEED ROUNDS
"""

import hashlib
import json
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

from keras_gan.datasets import cache
from keras_gan.datasets.folder import Folder

cache._CHUNK = 16


def write(place):
    images, labels = cache.cached(Folder(FOLDER, "train", (16, 16), True), place)
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()


def start(function):
    """Runs a function in a forked process, which need not import TensorFlow again."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    return pid


def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed(place, seconds):
    """Caches, killed in the middle, then again; returns the number of chunks of the first, and both caches' files."""
    pid = start(lambda: write(place))
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    code = wait(pid)
    logs = list(place.glob("*/log"))
    left = logs[0].read_bytes().count(b"\n") - 1 if logs else -1
    return {"code": code, "left": left, "digest": write(place), "files": files(place)}


def files(place):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(place.rglob("*")) if p.is_file()}


def full(place, reserves):
    """Caches with a file size limit of 20 kB; returns the error, and the remaining files."""
    out, into = os.pipe()

    def attempt():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        if not reserves:
            cache._reserve = lambda file, size: None
        try:
            write(place)
        except OSError as error:
            os.write(into, str(error).encode())

    code = wait(start(attempt))
    os.close(into)
    with open(out, "rb") as pipe:
        return {"code": code, "error": pipe.read().decode(), "left": [p.name for p in place.rglob("*")]}


def together(place, count):
    """Caches in several processes at once; returns their exit codes, and the files."""
    pids = [start(lambda: write(place)) for _ in range(count)]
    return {"codes": [wait(pid) for pid in pids], "files": files(place)}


if __name__ == "__main__":
    FOLDER, place = sys.argv[1], Path(sys.argv[2])
    rng = random.Random(int(sys.argv[3]))
    begin = time.monotonic()
    assert wait(start(lambda: write(place / "whole"))) == 0
    seconds = time.monotonic() - begin
    found = {
        "digest": write(place / "whole"),
        "files": files(place / "whole"),
        "killed": [killed(place / f"killed{i}", rng.uniform(0.1, 0.9) * seconds) for i in range(int(sys.argv[4]))],
        "full": [full(place / f"full{reserves}", reserves) for reserves in (True, False)],
        "together": together(place / "together", 3),
    }
    json.dump(found, sys.stdout)
