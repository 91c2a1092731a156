"""Latency and memory of generator files."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from keras_gan.checks.values import check_integers, check_number
from keras_gan.export import gpu_driver, runners, tables

# Seconds in addition to the requested ones: imports, loading, a few runs of a large network.
_PATIENCE = 120
# Seconds for each number of threads, when `export` measures the file that it has written.
BRIEF = 0.1


@dataclasses.dataclass(frozen=True)
class Latency:
    """Latency for one number of threads, in milliseconds for one batch.

    Attributes:
        threads: Int, or None if the runtime decides.
        median: Float.
        minimum: Float, the shortest time: nearly the time when nothing else runs on the machine.
        runs: Int, how many runs were timed.
    """

    threads: int | None
    median: float
    minimum: float
    runs: int


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """The result of `benchmark`.

    Attributes:
        filepath: Path.
        bytes: Int, size on disk.
        signature: String, the function that was timed.
        batch: Int, how many images a run gives.
        latencies: List of `Latency`.
        memory: Int, bytes that the loaded and running file adds to the process, or None if the system does not report
            it.
        not_delegated: List of strings, operations of a .tflite file that XNNPACK leaves to slower kernels; None for
            other formats, and on a GPU.
        driver: String, the Vulkan driver of the GPU that ran the file; None if it ran on the CPU.

    Example:

    ```python
    generator = keras_gan.architectures.mlp_generator((28, 28, 1), latent_dim=64)
    keras_gan.export.export(generator, "digits.tflite")
    result = keras_gan.export.benchmark("digits.tflite", threads=1)
    result.signature  # "generate"
    result.batch  # 1
    result.latencies[0].median  # milliseconds for one image
    ```
    """

    filepath: Path
    bytes: int
    signature: str
    batch: int
    latencies: list
    memory: int | None
    not_delegated: list | None
    driver: str | None = None

    def to_dict(self):
        """Returns the result as plain values, for JSON."""
        return {**dataclasses.asdict(self), "filepath": str(self.filepath)}

    def __str__(self):
        rows = [("size", f"{self.bytes / 1e6:.2f} MB", "")]
        for latency in self.latencies:
            row = latency_row(latency)
            rows.append(row if self.driver is None else ("gpu", row[1], f"{row[2]}, on {self.driver}"))
        if self.memory is not None:
            rows.append(("memory", f"{self.memory / 1e6:.1f} MB", "added to the process by loading and running it"))
        if self.not_delegated is not None:
            rows.append(not_delegated_row(self.not_delegated))
        images = "one image" if self.batch == 1 else f"{self.batch} images"
        return f"{self.filepath}, {self.signature}, {images} a run\n\n{tables.text(rows)}"


def benchmark(filepath, threads=(1, 2), seconds=1.0, accelerator=None):
    """Times a generator file, in a separate process.

    Malicious files can crash a runtime; here that ends in an error. The process may use 8 GiB.

    Args:
        filepath: Path of a `.tflite` file, an `.onnx` file or a SavedModel's folder, from any source.
        threads: Ints > 0, numbers of threads to time. A SavedModel ignores this argument: it is timed with TensorFlow's
            own number of threads, which can't be changed. Defaults to `(1, 2)`.
        seconds: Float > 0, how long to run for each number of threads. Defaults to `1.0`.
        accelerator: `"gpu"` to time a .tflite file on LiteRT's GPU delegate, without a bound on memory. It needs a
            Vulkan driver; a software one works, but says nothing about a phone's speed. Defaults to None, the CPU.

    Returns:
        `Benchmark`.

    Raises:
        ValueError: If it is not such a file, could do more than compute (untrusted files may try to read and write
            other files), crashes, or takes minutes; if there is no driver, or the GPU refuses the file.
        ImportError: If the runtime is missing; the message says what to install.

    Example:

    ```python
    generator = keras_gan.architectures.mlp_generator((28, 28, 1), latent_dim=64)
    keras_gan.export.export(generator, "digits.tflite")
    result = keras_gan.export.benchmark("digits.tflite", threads=1)
    result.signature  # "generate"
    result.batch  # 1
    result.latencies[0].median  # milliseconds for one image
    ```
    """
    threads = check_integers("threads", threads)
    seconds = check_number("seconds", seconds, 0, open_low=True)
    filepath = Path(filepath)
    check_accelerator(accelerator, runners.format_of(filepath))
    # The same `sys.path` as this process; nothing from the working directory.
    path = os.pathsep.join(str(Path(p).absolute()) for p in sys.path if p)
    options = json.dumps([threads, seconds, accelerator])
    command = [sys.executable, "-P", "-m", "keras_gan.export.isolated", str(filepath), options]
    limit = _PATIENCE + seconds * len(threads) + (gpu_driver.PATIENCE if accelerator else 0)
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"filepath must be a generator that runs within {limit:g} s. Received: {filepath}, which was stopped "
            "after that."
        ) from error
    try:
        result = json.loads(done.stdout.decode().splitlines()[-1])
    except (IndexError, ValueError) as error:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        raise ValueError(
            f"filepath must be a generator that runs. Received: {filepath}, which crashed its runtime ({how})."
        ) from error
    if "error" in result:
        raise (ImportError if result["missing"] else ValueError)(result["error"])
    return Benchmark(**{**result, "filepath": filepath, "latencies": [Latency(**x) for x in result["latencies"]]})


def measure(filepath, threads=(1, 2), seconds=1.0, accelerator=None):
    """Times a file as `benchmark` does, but in this process: for files that this process wrote."""
    filepath = Path(filepath)
    format = runners.format_of(filepath)
    if accelerator is not None:
        return _measure_gpu(filepath, seconds)
    # The runtime is loaded before, so that only the file's memory is counted.
    runners.import_runtime(format)
    before = _resident()
    latencies, memory = [], None
    for n in (None,) if format == "tf_saved_model" else threads:
        file = runners.run(filepath, n)
        name, feed = _example(file)
        times = _time(lambda file=file, name=name, feed=feed: file.run(name, feed), seconds)
        latencies.append(Latency(n, float(np.median(times)) * 1e3, min(times) * 1e3, len(times)))
        if before is not None and memory is None:
            memory = max(_resident() - before, 0)
    not_delegated = file.not_delegated() if hasattr(file, "not_delegated") else None
    batch = len(next(iter(feed.values())))
    return Benchmark(filepath, size(filepath), name, batch, latencies, memory, not_delegated)


def _measure_gpu(filepath, seconds):
    name, feed = _example(runners.run(filepath))
    ran = gpu_driver.run(filepath, {name: [feed]}, seconds)
    if ran is None:
        raise ValueError(
            "accelerator='gpu' needs a Vulkan driver, and none starts here. On Debian: apt-get install chromium, which "
            "has a software driver."
        )
    if ran.failure:
        refused = "; ".join(f"{operation}: {reason}" for operation, reason in ran.refused.items())
        raise ValueError(
            f"filepath must run on the GPU ({ran.driver}). Received: {filepath}: {refused or ran.failure}."
        )
    times = Latency(None, float(np.median(ran.times)) * 1e3, min(ran.times) * 1e3, len(ran.times))
    return Benchmark(filepath, size(filepath), name, len(next(iter(feed.values()))), [times], None, None, ran.driver)


def check_accelerator(accelerator, format):
    """Raises a ValueError unless an accelerator is known and goes with a file's format."""
    if accelerator not in (None, "gpu"):
        raise ValueError(f"accelerator must be None or 'gpu'. Received: {accelerator!r}.")
    if accelerator is not None and format != "litert":
        raise ValueError(f"accelerator={accelerator!r} is for .tflite files. Received: a file of format {format!r}.")


def size(path):
    """Returns the bytes on disk of a file or a folder."""
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size


def latency_row(latency):
    """Returns a row of a table for a latency."""
    threads = {None: "all threads", 1: "1 thread"}.get(latency.threads, f"{latency.threads} threads")
    note = f"median of {latency.runs} runs, at best {latency.minimum:.3g}"
    return threads, f"{latency.median:.3g} ms", note


def not_delegated_row(operations):
    """Returns a row of a table for operations that are not delegated."""
    names = ", ".join(dict.fromkeys(operations)) or "none"
    return "not delegated", names, "operations that XNNPACK leaves to slower kernels"


def _example(file):
    """Returns the name of the signature to time, and inputs for it."""
    name = "generate" if "generate" in file.inputs else next(iter(file.inputs))
    inputs = file.inputs[name]
    rng = np.random.default_rng(0)
    shapes = {name: ([n or 1 for n in shape], dtype) for name, (shape, dtype) in inputs.items()}
    return name, {
        key: rng.normal(size=shape).astype(dtype) if dtype.startswith("float") else np.zeros(shape, dtype)
        for key, (shape, dtype) in shapes.items()
    }


def _time(function, seconds):
    for _ in range(3):
        function()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return times


def _resident():
    """Returns the bytes of this process in memory, or None without Linux's `/proc`."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
