"""Runs a .tflite file on LiteRT's GPU delegate, in a separate process: drivers crash."""

import dataclasses
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

# Time limit in seconds. A software driver needs about one second for a large image.
PATIENCE = 300
_DRIVERS = (
    "/etc/vulkan/icd.d/*.json",
    "/usr/share/vulkan/icd.d/*.json",
    # From Debian's chromium, which also has a Vulkan loader.
    "/usr/lib/chromium/vk_swiftshader_icd.json",
)
_SOFTWARE = ("lvp", "swiftshader")


@dataclasses.dataclass(frozen=True)
class Run:
    """Result of running a file on the GPU.

    Attributes:
        driver: String, the driver's name.
        outputs: Dict of signatures to arrays `(feeds, batch, ...)`; empty if nothing ran.
        times: List of floats, seconds of each timed run of the first signature.
        refused: Dict with the delegate's reason for each operation that it leaves to the CPU; empty if it leaves none.
        failure: String, any other failure, or None.
    """

    driver: str
    outputs: dict
    times: list
    refused: dict
    failure: str | None


def candidates():
    """Lists the paths of the machine's Vulkan drivers, real GPUs before software."""
    named = os.environ.get("VK_DRIVER_FILES")
    found = named.split(os.pathsep) if named else [path for pattern in _DRIVERS for path in sorted(glob.glob(pattern))]
    return sorted(filter(os.path.isfile, found), key=_is_software)


def run(filepath, feeds, seconds=0, with_cpu=False):
    """Runs a file on the first of the machine's Vulkan drivers that starts, real GPUs before software.

    Args:
        filepath: Path of a .tflite file.
        feeds: Dict of signatures to lists of feeds: dicts of arrays by name.
        seconds: Float, how long to time the first signature. Defaults to 0, not at all.
        with_cpu: Bool, whether operations may stay on the CPU. Defaults to False.

    Returns:
        `Run`, or None if no driver starts.
    """
    for driver in candidates():
        with tempfile.TemporaryDirectory() as folder:
            done = _run(Path(filepath), feeds, seconds, with_cpu, driver, Path(folder))
        if done is not None:
            return done
    return None


def _run(filepath, feeds, seconds, with_cpu, driver, folder):
    job = {
        "filepath": str(filepath.absolute()),
        "signatures": {name: len(examples) for name, examples in feeds.items()},
        "seconds": seconds,
        "with_cpu": with_cpu,
    }
    (folder / "job.json").write_text(json.dumps(job))
    for name, examples in feeds.items():
        np.savez(folder / f"{name}.npz", **{key: np.stack([feed[key] for feed in examples]) for key in examples[0]})
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(Path(p).absolute()) for p in sys.path if p),
        # The loader is the system's, or lies next to the driver.
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, [os.environ.get("LD_LIBRARY_PATH"), os.path.dirname(driver)])),
        "VK_DRIVER_FILES": driver,
        "XDG_RUNTIME_DIR": str(folder),
    }
    command = [sys.executable, "-P", str(Path(__file__).with_name("gpu_process.py")), str(folder)]
    limit = PATIENCE + seconds
    result, failure = {}, None
    with open(folder / "log", "w+b") as log:
        try:
            done = subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, timeout=limit
            )
        except subprocess.TimeoutExpired:
            failure = f"it was stopped after {limit:g} s"
        else:
            try:
                result = json.loads(done.stdout.decode().splitlines()[-1])
                failure = result.get("error")
            except (IndexError, ValueError):
                how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
                failure = f"it crashed the delegate ({how})"
        log.seek(0)
        notes = log.read().decode(errors="replace")
    if "No adapters found" in notes or "Couldn't load Vulkan" in notes:
        return None
    if "[Invalid " in notes:
        # The delegate continues, and returns zeros.
        failure = "the delegate wrote a program for the GPU that the driver refuses"
    outputs = {}
    if failure is None:
        with np.load(folder / "outputs.npz") as found:
            outputs = dict(found)
    return Run(_name(driver), outputs, result.get("times", []), _refused(notes), failure)


def _is_software(driver):
    return any(word in Path(driver).name for word in _SOFTWARE)


def _name(driver):
    name = Path(driver).stem.removesuffix("_icd").removeprefix("vk_")
    return f"{name} (software)" if _is_software(driver) else name


def _refused(notes):
    """Returns the operations that the delegate leaves to the CPU according to its log, with its reasons."""
    found = {}
    for block in re.findall(r"not supported by GPU delegate:\n(.*?)\n\d+ operations will run", notes, re.DOTALL):
        for operation, reason in re.findall(r"^([A-Z0-9_]+): *(.*)$", block, re.MULTILINE):
            # The rest is the name of a tensor.
            reason = re.sub(r"(Tensor dimensions must be less than 5)\..*", r"\1", reason).strip(". ")
            found.setdefault(operation, reason or "it is not supported")
    if len(found) > 1:
        # Weights needed only by other refused operations.
        found.pop("DEQUANTIZE", None)
    return found
