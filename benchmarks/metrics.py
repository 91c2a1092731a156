"""Cost and accuracy of the Frechet distance, against the matrix product that it requires.

The features are synthetic, with a decaying spectrum like a network's: `relu(z W + e)`. `product` is `X^T X` in float32
of all real, and `Y^T Y` of all generated features, each one matrix product in NumPy; `metric` is
`keras_gan.metrics.FrechetDistance` from its first batch, compiled, to its result. Both are timed alternately; the
result is the best round. The reference is float64 throughout, with the eigenvalues of the product of the covariances.

Command:   python benchmarks/metrics.py
Minutes:   3 on 2 CPU cores
Expected:  1.5 times the product, off by 5e-10, 64 MB and no growth
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Set before TensorFlow is imported: on x86 processors without AVX-512, training steps are up to twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

import keras_gan
from keras_gan import saving


def make(examples, features, seed):
    """Makes features `(examples, features)`, float32, in parts, without temporary copies of all."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(256, features)) * np.linspace(1, 0.01, 256)[:, None] / 8
    rng = np.random.default_rng(seed)
    x = np.empty((examples, features), "float32")
    for i in range(0, examples, 1000):
        part = x[i : i + 1000]
        z = rng.normal(1 + 0.02 * seed, 1 + 0.05 * seed, (len(part), 256))
        part[:] = np.maximum(z @ mix + 0.1 * rng.normal(size=part.shape), 0)
    return x


def timed(function):
    """Returns a function's result and its seconds."""
    start = time.perf_counter()
    value = function()
    return value, time.perf_counter() - start


def peak_mb():
    """Returns the peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def reference(real, fake):
    """Computes the distance in float64, by another method than the metric."""
    means, covariances = [], []
    for x in (real, fake):
        mean = x.mean(0, dtype="float64")
        outer = np.zeros((x.shape[1],) * 2)
        for i in range(0, len(x), 5000):
            part = x[i : i + 5000] - mean
            outer += part.T @ part
        means.append(mean)
        covariances.append(outer / (len(x) - 1))
    roots = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0))
    return float(np.square(means[0] - means[1]).sum() + sum(map(np.trace, covariances)) - 2 * roots.sum())


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=50_000, help="of each kind (default: 50000)")
    parser.add_argument("--features", type=int, default=2048, help="of an example (default: 2048)")
    parser.add_argument("--batch", type=int, default=500, help="examples of a batch (default: 500)")
    parser.add_argument("--rounds", type=int, default=3, help="how often to time each (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    args = parser.parse_args(argv)
    for name in ("examples", "features", "batch", "rounds"):
        if getattr(args, name) < 1:
            parser.error(f"argument --{name}: must be at least 1, received {getattr(args, name)}")
    if args.json and args.json.exists():
        parser.error(f"argument --json: {args.json} is there already; nothing was overwritten")

    real, fake = (make(args.examples, args.features, seed) for seed in (0, 1))
    metric = keras_gan.metrics.FrechetDistance()
    metric.build((args.features,))
    update = tf.function(metric.update_state, reduce_retracing=True)
    for n in (args.batch, max(args.batch // 2, 1)):  # It compiles, for batches of any length.
        update(tf.constant(real[:n]), tf.constant(fake[:n]))
    peaks = []

    def stream():
        metric.reset_state()
        for i in range(0, args.examples, args.batch):
            update(tf.constant(real[i : i + args.batch]), tf.constant(fake[i : i + args.batch]))
            peaks.append(peak_mb())

    products, wholes, results = [], [], []
    for _ in range(args.rounds):
        products.append(timed(lambda: (real.T @ real, fake.T @ fake))[1])
        streaming = timed(stream)[1]
        found, last = timed(metric.result)
        wholes.append(streaming + last)
        results.append(last)
    product, whole = min(products), min(wholes)
    batches = len(peaks) // args.rounds
    expected = reference(real, fake)
    figures = {
        "examples": args.examples,
        "features": args.features,
        "batch": args.batch,
        "product_seconds": product,
        "metric_seconds": whole,
        "of_which_result_seconds": min(results),
        "ratio": whole / product,
        "frechet_distance": found,
        "reference": expected,
        "relative_error": abs(found - expected) / expected,
        "metric_state_mb": sum(v.numpy().nbytes for v in metric.variables) / 2**20,
        "peak_growth_mb_after_a_tenth": peaks[batches - 1] - peaks[batches // 10],
    }
    print(f"{args.examples:,} x {args.features:,} features of each kind, batches of {args.batch}")
    print(f"{'product alone':32}{product:10.2f} s")
    print(f"{'FrechetDistance':32}{whole:10.2f} s  {whole / product:.2f} times the product")
    print(f"{'  of which the result':32}{figures['of_which_result_seconds']:10.2f} s")
    print(f"{'distance':32}{found:10.4f}    off by {figures['relative_error']:.0e} of itself")
    print(f"{'what the metric keeps':32}{figures['metric_state_mb']:10.0f} MB")
    print(f"{'growth after a tenth of the data':32}{figures['peak_growth_mb_after_a_tenth']:10.0f} MB")
    if args.json:
        with saving.replacing(args.json) as part:
            part.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
