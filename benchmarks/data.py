"""Cost of training from a cache on disk: memory, steps per second, and the time to write it.

`memory` streams one epoch of a folder of made-up 64x64x3 images from its cache and prints how much anonymous memory
(RssAnon of /proc/self/status, Linux) that adds to the program's. `steps` trains on batches from the cache and from
memory, alternating: a step multiplies matrices for a few milliseconds. `jpegs` caches JPEGs of 256x256 at 64x64,
alternating with full decoding of the same files in as many threads, and compares both. Results are medians.

Command:   python benchmarks/data.py
Minutes:   8 on 2 CPU cores; 5 GB of disk below --folder, 3 GB of memory
Expected:  less than 0.1 GB; as many steps per second as from memory, within the machine's noise; JPEGs cached 1.6 times
           as fast (AMD EPYC with AVX-512)
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Set before TensorFlow is imported: on x86 processors without AVX-512, training steps are up to twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import argparse
import json
import struct
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

import keras_gan
from keras_gan import saving

BATCH = 64


def write_images(folder, n):
    """Writes a folder of BMP files 64x64, in subfolders of 1,000, with random colors."""
    header = b"BM" + struct.pack("<IHHI", 54 + 12288, 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, 64, 64, 1, 24, 0, 12288, 2835, 2835, 0, 0)
    rng = np.random.default_rng(0)
    for start in range(0, n, 1000):
        part = folder / f"{start // 1000:05}"
        part.mkdir(parents=True)
        for i, pixels in enumerate(rng.integers(0, 256, (min(1000, n - start), 12288), "uint8")):
            (part / f"{i:03}.bmp").write_bytes(header + pixels.tobytes())


def write_jpegs(folder, n):
    """Writes a folder of JPEG files 256x256, as smooth and as rough as photographs."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(n):
        layers = [
            np.asarray(
                Image.fromarray(rng.integers(0, 256, (k, k, 3), "uint8")).resize((256, 256), Image.Resampling.BICUBIC)
            )
            for k in (5, 20, 80)
        ]
        picture = sum(w * layer.astype("float32") for w, layer in zip((0.6, 0.3, 0.1), layers, strict=True))
        Image.fromarray(picture.astype("uint8")).save(folder / f"{i:05}.jpg", quality=90)


def anonymous_mb():
    """Returns the anonymous memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def measure_memory(load):
    for _ in load("train[:1%]").take(20):  # Memory that TensorFlow needs to read any data.
        pass
    own = most = anonymous_mb()
    start = time.perf_counter()
    data = load("train")
    opening = time.perf_counter() - start
    for i, _ in enumerate(data):
        if i % 50 == 0:
            most = max(most, anonymous_mb())
    return {"own_mb": own, "extra_mb": most - own, "opening_seconds": opening}


def measure_steps(sets, steps, rounds):
    """Measures milliseconds per step without data, steps per second of each set, and their ratio per round."""
    weights = tf.random.stateless_normal((256, 256), (0, 0))

    @tf.function
    def step(batch):
        x = tf.reshape(batch, (-1, 256))
        for _ in range(2):
            x = tf.tanh(x @ weights)
        return tf.reduce_mean(x)

    batch = tf.zeros((BATCH, 64, 64, 3))
    step(batch)
    start = time.perf_counter()
    for _ in range(200):
        step(batch).numpy()
    alone = (time.perf_counter() - start) / 200 * 1000
    paces = {name: [] for name in sets}
    streams = {name: iter(data.repeat()) for name, data in sets.items()}
    for i in range(rounds):
        for name in sorted(sets, reverse=i % 2 == 1):
            for _ in range(5):
                step(next(streams[name]))
            start = time.perf_counter()
            for _ in range(steps):
                step(next(streams[name])).numpy()
            paces[name].append(steps / (time.perf_counter() - start))
    ratio = np.median(np.divide(paces["cache"], paces["memory"]))
    return alone, {name: float(np.median(pace)) for name, pace in paces.items()}, float(ratio)


def decode_whole(path):
    """Decodes one JPEG at its size, then resizes it."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.LANCZOS))


def measure_jpegs(folder, place, rounds):
    """Measures images per second of both, their ratio per round, and the largest and the mean difference in levels."""
    paths, paces = sorted(folder.glob("*.jpg")), {"whole": [], "cached": []}
    for i in range(rounds):
        start = time.perf_counter()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            whole = np.stack(list(pool.map(decode_whole, paths)))
        paces["whole"].append(len(paths) / (time.perf_counter() - start))
        start = time.perf_counter()
        keras_gan.datasets.load(f"folder:{folder}", BATCH, image_size=64, cache=place / str(i))
        paces["cached"].append(len(paths) / (time.perf_counter() - start))
    (content,) = (place / "0").glob("*/images")
    levels = np.abs(np.fromfile(content, "uint8").reshape(whole.shape).astype("int16") - whole)
    ratio = float(np.median(np.divide(paces["cached"], paces["whole"])))
    return (
        {name: float(np.median(pace)) for name, pace in paces.items()},
        ratio,
        int(levels.max()),
        float(levels.mean()),
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200_000, help="how many to stream (default: 200,000)")
    parser.add_argument("--jpegs", type=int, default=2000, help="how many to cache (default: 2,000)")
    parser.add_argument("--steps", type=int, default=100, help="how many to time in each round (default: 100)")
    parser.add_argument("--rounds", type=int, default=15, help="how often to time each (default: 15)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to put files, removed at the end")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    args = parser.parse_args(argv)
    for name in ("images", "jpegs", "steps", "rounds"):
        if getattr(args, name) < 1:
            parser.error(f"argument --{name}: must be at least 1, received {getattr(args, name)}")
    if args.json and args.json.exists():
        parser.error(f"argument --json: {args.json} is there already; nothing was overwritten")

    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        folder = Path(folder)
        write_images(folder / "images", args.images)
        write_jpegs(folder / "jpegs", args.jpegs)

        def load(split, cache=folder / "place"):
            return keras_gan.datasets.load(f"folder:{folder / 'images'}", BATCH, split, seed=0, cache=cache)

        start = time.perf_counter()
        load("train")
        writing = time.perf_counter() - start
        memory = measure_memory(load)
        alone, steps, ratio = measure_steps(
            {"memory": load("train", False), "cache": load("train")}, args.steps, args.rounds
        )
        jpegs, jpegs_ratio, largest, mean = measure_jpegs(folder / "jpegs", folder / "small", min(args.rounds, 5))
    figures = {
        "images": args.images,
        "caching_seconds": writing,
        **memory,
        "step_ms": alone,
        "steps_per_second": steps,
        "steps_ratio": ratio,
        "jpegs_per_second": jpegs,
        "jpegs_ratio": jpegs_ratio,
        "jpegs_largest_difference": largest,
        "jpegs_mean_difference": mean,
    }
    print(f"{args.images:,} images 64x64x3, cached in {writing:.0f} s, opened in {memory['opening_seconds']:.1f} s")
    print(f"{'memory over the program alone':34}{memory['extra_mb']:10.0f} MB, beside {memory['own_mb']:.0f} MB")
    print(f"{'a step without data':34}{alone:10.2f} ms")
    print(f"{'from memory':34}{steps['memory']:10.1f} steps/s")
    print(f"{'from the cache':34}{steps['cache']:10.1f} steps/s, {100 * figures['steps_ratio']:.1f} %")
    print(f"{'JPEGs decoded whole':34}{jpegs['whole']:10.0f} images/s")
    print(f"{'JPEGs cached':34}{jpegs['cached']:10.0f} images/s, {figures['jpegs_ratio']:.2f} times")
    print(f"{'difference of the two':34}{largest:10} levels at most, {mean:.2f} on average")
    if args.json:
        with saving.replacing(args.json) as part:
            part.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
