"""Speed, size and error of a generator's files: all precisions, with and without the rewrite, and other runtimes.

All run alternately in one process, so that other load on the machine affects all alike; compare ratios and minima.
Without --gan it uses a DCGAN for 64x64x3 images with random weights and matching batch statistics.

Command:   python benchmarks/export.py
Minutes:   1 on 2 CPU cores
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Set before TensorFlow is imported: on x86 processors without AVX-512, training steps are up to twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

import keras_gan
from keras_gan.export import convert, rewrite, runners, tasks

PRECISIONS = (None, "float16", "dynamic", "int8")
PREDICT = "Keras predict"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gan", type=Path, help="a .keras file (default: a 64x64x3 DCGAN with random weights)")
    parser.add_argument("--threads", type=int, default=1, help="of each runtime; Keras takes all (default: 1)")
    parser.add_argument("--rounds", type=int, default=40, help="how often everything has its turn (default: 40)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    args = parser.parse_args(argv)
    gan = keras.models.load_model(args.gan) if args.gan else example()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(gan, Path(folder), args.threads, args.rounds)
    print(table(results))
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def example():
    """Makes a GAN with the generator of the DCGAN paper, with batch statistics of its own activations."""
    keras.utils.set_random_seed(0)
    generator = keras_gan.architectures.dcgan_generator((64, 64, 3), latent_dim=100, width=64)
    rng, x = np.random.default_rng(0), keras.random.normal((128, 100), seed=0)
    for layer in generator.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            axes = tuple(range(x.ndim - 1))
            mean, variance = (keras.ops.convert_to_numpy(f(x, axes)) for f in (keras.ops.mean, keras.ops.var))
            layer.set_weights([rng.uniform(0.8, 1.2, mean.shape), rng.normal(0, 0.1, mean.shape), mean, variance])
        x = layer(x)
    return keras_gan.GAN(generator, keras_gan.architectures.dcgan_discriminator((64, 64, 3), width=4), ema=None)


def measure(gan, folder, threads, rounds):
    """Converts to all formats, then runs all alternately.

    Returns:
        Dict of names to sizes, errors, operations outside XNNPACK, and milliseconds for one image.
    """
    generator = gan.best_generator
    task = tasks.Generation(gan.prior, gan.condition)
    inputs = task.symbolic_inputs()
    networks = {way: rewrite.rebuild(generator, inputs, fast=way == "rewritten") for way in ("plain", "rewritten")}
    (expected,) = task.signatures(networks["plain"], (1,))
    feeds = expected.feeds(expected.draw(32, seed=0))
    wanted = np.concatenate([expected(feed) for feed in feeds])

    results, runs = {}, {}
    for precision in PRECISIONS:
        for way, network in networks.items():
            name = f"{precision or 'float32'}, {way}"
            say(f"converting: {name}")
            path = folder / f"{len(runs)}.tflite"
            signatures = task.signatures(network, (1,))
            path.write_bytes(convert.to_tflite(network, signatures, precision))
            results[name], runs[name] = prepare(path, threads)
            results[name]["not_delegated"] = runners.run(path).not_delegated()
    say("converting: ONNX")
    (dynamic,) = task.signatures(networks["plain"])
    convert.write_onnx(networks["plain"], dynamic.inputs, folder / "g.onnx")
    results["ONNX Runtime"], runs["ONNX Runtime"] = prepare(folder / "g.onnx", threads)
    results[PREDICT] = {"bytes": None}
    runs[PREDICT] = lambda feed: generator.predict(list(feed.values()) if len(feed) > 1 else feed["latent"], verbose=0)

    for name, run in runs.items():
        error = np.abs(np.concatenate([run(feed) for feed in feeds]).astype("float64") - wanted)
        results[name].update(max_error=float(error.max()), mean_error=float(error.mean()))
    times = {name: [] for name in runs}
    for i in range(rounds):
        say(f"running: round {i + 1} of {rounds}")
        for name, run in runs.items():
            for feed in feeds[: 2 if name == PREDICT else 10]:
                start = time.perf_counter()
                run(feed)
                times[name].append((time.perf_counter() - start) * 1e3)
    say("")
    for name, milliseconds in times.items():
        results[name].update(median_ms=float(np.median(milliseconds)), minimum_ms=min(milliseconds))
    return results


def prepare(path, threads):
    file = runners.run(path, threads)
    return {"bytes": path.stat().st_size}, lambda feed: file.run("generate", feed)


def table(results):
    """Formats the figures in 80 columns; speed is relative to the plain float32 file, by minima."""
    base = results["float32, plain"]["minimum_ms"]
    lines = [f"{'':20}{'MB':>7}{'max error':>11}{'mean error':>12}{'median ms':>11}{'minimum':>9}{'speed':>8}"]
    for name, r in results.items():
        size = "" if r["bytes"] is None else f"{r['bytes'] / 1e6:.2f}"
        lines.append(
            f"{name:20}{size:>7}{r['max_error']:>11.2g}{r['mean_error']:>12.2g}{r['median_ms']:>11.3f}"
            f"{r['minimum_ms']:>9.3f}{base / r['minimum_ms']:>7.2f}x"
        )
    outside = {name: r["not_delegated"] for name, r in results.items() if r.get("not_delegated")}
    lines.append(f"\nOutside XNNPACK: {outside or 'nothing'}")
    return "\n".join(lines)


def say(text):
    """Prints progress, on one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r{text:60}", end="" if text else "\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
