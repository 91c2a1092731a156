"""The command line: `keras-gan COMMAND`, one function for each command.

A command's function takes the parsed arguments and returns a result that prints itself as text and has `to_dict()`
for `--json`.
"""

import argparse
import contextlib
import dataclasses
import json
import math
import os
import signal
import sys
import threading
from pathlib import Path

import keras
import numpy as np

from keras_gan import datasets, images, metrics, saving
from keras_gan.augmentation import Affine
from keras_gan.backend import OpError
from keras_gan.checks.values import check_integer
from keras_gan.export import benchmark, export
from keras_gan.gan import GAN
from keras_gan.metrics.frechet import LARGEST

_EPILOG = "Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage, 130 or 143 stopped by a signal."


def main(argv=None):
    """Runs one command.

    Args:
        argv: List of strings. Defaults to None, the command line's.

    Returns:
        Int, the exit code: 0 done, 1 failed, 2 wrong usage, 130 or 143 stopped.
    """
    try:
        args = _parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code
    try:
        with _stopped_by(signal.SIGTERM):
            result = args.run(args)
        _print(json.dumps(result.to_dict(), indent=2) if args.json else str(result))
    except (ImportError, OSError, TypeError, ValueError) as error:
        return _fail(args, str(error))
    except (MemoryError, OpError) as error:
        # A backend's words may go on for pages.
        return _fail(args, f"this can't be computed, such as for lack of memory. {str(error)[:300]}")
    except KeyboardInterrupt as stop:
        print(f"keras-gan {args.command}: stopped; no file was left half written.", file=sys.stderr)
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)
    return 0


@contextlib.contextmanager
def _stopped_by(number):
    """Lets a signal end what runs as Ctrl-C does: what is half written is removed."""

    def stop(number, frame):
        raise KeyboardInterrupt(number)

    # No other thread may set what a signal does.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, stop)
    try:
        yield
    finally:
        signal.signal(number, before)


def _print(text):
    """Prints a result, also where standard output lacks a letter, and quietly where nobody reads it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        # Python would try once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(args, reason):
    print(f"keras-gan {args.command}: {' '.join(reason.split())}", file=sys.stderr)
    return 1


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-gan", description="What a trained GAN is good for.", epilog=_EPILOG, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_sample(commands)
    _add_evaluate(commands)
    _add_export(commands)
    _add_benchmark(commands)
    return parser


def _add_command(commands, name, run, help, description):
    """A subcommand's parser, with what all of them have."""
    parser = commands.add_parser(name, help=help, description=description, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)
    return parser


@dataclasses.dataclass
class Result:
    """What a command found: values for `--json`, and a text."""

    values: dict
    text: str

    def to_dict(self):
        return self.values

    def __str__(self):
        return self.text


def load_gan(path):
    """Loads the `.keras` file of a GAN.

    Raises:
        ValueError: If there is no such file, or it holds something else.
    """
    gan = saving.load_untrusted(path)
    if not isinstance(gan, GAN):
        raise ValueError(
            f"gan must be a file that gan.save wrote. Received: {path}, which holds a {type(gan).__name__}."
        )
    return gan


def _check_condition(gan, path, instead):
    """Raises a ValueError if the GAN is conditioned on what no command line can give."""
    if gan.condition.given_name not in (None, "labels"):
        raise ValueError(
            f"gan must have no condition but one on labels. Received: {path}, with {gan.condition!r}. "
            f"Load it in Python with keras_gan.saving.load_untrusted and call {instead}."
        )


# === sample ===


def _add_sample(commands):
    parser = _add_command(
        commands,
        "sample",
        _sample,
        help="draw what a GAN generates",
        description="Generates with a saved GAN, from its averaged weights if it has any, and writes a picture of "
        "images side by side, or any data as an array.",
    )
    parser.add_argument("gan", help="a .keras file that gan.save wrote")
    parser.add_argument("--count", type=_positive, default=64, metavar="N", help="how many (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives others (default: 0)")
    parser.add_argument("--label", type=int, metavar="K", help="of this class alone (default: all classes in turn)")
    parser.add_argument("--columns", type=_positive, metavar="N", help="of the picture (default: a square)")
    parser.add_argument(
        "--out",
        default="samples.png",
        metavar="FILE",
        help="a picture, such as NAME.png, or NAME.npy for a NumPy array; must not exist (default: samples.png)",
    )


def _sample(args):
    out = Path(args.out)
    if out.exists():
        raise ValueError(f"--out must be a new file. Received: {out}, which is there already.")
    if not out.parent.is_dir():
        raise ValueError(f"--out must lie in a folder that exists. Received: {out}. Make {out.parent} first.")
    is_array = out.suffix.lower() == ".npy"
    if not is_array:
        images.check_suffix(out)
    gan = load_gan(args.gan)
    if not is_array and (len(gan.data_shape) != 3 or gan.data_shape[-1] not in (1, 3)):
        raise ValueError(
            f"--out must end in .npy for data that are no images with 1 or 3 channels. Received: {out}, for a GAN "
            f"that generates {gan.data_shape}."
        )
    _check_condition(gan, args.gan, "sample(n, given=...)")
    if args.label is not None and hasattr(gan.condition, "num_classes"):
        check_integer("--label", args.label, 0, gan.condition.num_classes - 1)
    labels = None if args.label is None else np.full(args.count, args.label)
    samples = gan.sample(args.count, seed=args.seed, labels=labels)
    if not np.isfinite(samples).all():
        raise ValueError(f"gan must make finite values. Received: {args.gan}, whose samples are NaN or infinite.")
    if is_array:
        # NumPy would add a suffix to a path that ends in .NPY.
        with saving.replacing(out) as part, part.open("wb") as file:
            np.save(file, samples)
    else:
        images.save(out, images.grid(images.signed(samples, gan.generator), args.columns))
    shape = "x".join(map(str, samples.shape[1:]))
    return Result(
        {"file": str(out), "count": args.count, "seed": args.seed, "shape": list(samples.shape)},
        f"{out}: {args.count} samples of {shape}, seed {args.seed}",
    )


# === evaluate ===

# What `DensityCoverage` compares at least.
_FEWEST = 6
_MEANINGS = {
    "frechet_distance": "lower is better; 0 for the data themselves",
    "kernel_distance": "lower is better; 0 is perfect, on average",
    "kernel_distance_error": "its standard error",
    "sliced_wasserstein": "lower is better",
    "precision": "share of samples that look real",
    "recall": "share of real images that could be samples",
    "density": "1 for a perfect generator, on average",
    "coverage": "share of real images with a sample nearby",
    "classifier_score": "higher is better; 1 to the number of classes",
}


def _add_evaluate(commands):
    parser = _add_command(
        commands,
        "evaluate",
        _evaluate,
        help="say how good a GAN's samples are",
        description="Compares what a saved GAN generates with real images, as many as there are, up to 10,000 for the "
        "metrics that compare all with all. Figures can be compared if data, features and numbers are the same.",
    )
    parser.add_argument("gan", help="a .keras file that gan.save wrote")
    parser.add_argument(
        "--data", required=True, help="'digits', an image set of TensorFlow Datasets, such as 'mnist', or folder:PATH"
    )
    parser.add_argument("--split", help="which part of the data (default: test; of a folder, all)")
    parser.add_argument(
        "--features",
        choices=("classifier", "inception", "none"),
        default="classifier",
        help="what is compared: features of a small classifier, which is trained on the labelled data once and kept "
        "(default); of InceptionV3, whose weights are downloaded once; or, with none, the pixels",
    )
    parser.add_argument("--batch-size", type=_positive, default=250, metavar="N", help="at once (default: 250)")
    parser.add_argument(
        "--skip-bad-images", action="store_true", help="go on without those of a folder that can't be read"
    )


def _evaluate(args):
    gan = load_gan(args.gan)
    if len(gan.data_shape) != 3:
        raise ValueError(f"gan must generate images. Received: {args.gan}, which generates {gan.data_shape}.")
    _check_condition(gan, args.gan, "evaluate")
    is_folder = args.data.startswith("folder:")
    split = args.split or ("train" if is_folder else "test")
    size = tuple(gan.data_shape[:2])
    needs_labels = gan.condition.given_name is not None
    # The result alone goes to stdout.
    with contextlib.redirect_stdout(sys.stderr):
        channels = gan.data_shape[2] if is_folder and gan.data_shape[2] in (1, 4) else None
        data = _load(args, args.batch_size, split, needs_labels, size, channels)
        shape = tuple(keras.tree.flatten(data.element_spec)[0].shape[1:])
        if shape != gan.data_shape:
            raise ValueError(f"--data must be images of {gan.data_shape}, as {args.gan} makes. Received: {shape}.")
        if gan.data_range == (0, 1):
            data = data.map(lambda x, *labels: ((x + 1) / 2, *labels) if labels else (x + 1) / 2)
        features = None
        if args.features == "classifier":
            try:
                labelled = _load(args, 1000, "train", True, size, channels)
            except ValueError as error:
                raise ValueError(f"{error} Or give --features none, which compares pixels.") from error
            features = metrics.features.classifier(labelled)
        elif args.features == "inception":
            features = metrics.features.inception_v3()
        # Room for no more examples than there are: it is made in advance, and pixels are many.
        room = max(_FEWEST, min(10_000, len(data) * args.batch_size))
        buffered = metrics.KernelDistance, metrics.SlicedWasserstein, metrics.PrecisionRecall, metrics.DensityCoverage
        chosen = [metric(features, max_examples=room) for metric in buffered]
        values = math.prod(gan.data_shape)
        if features is not None:
            chosen += [metrics.FrechetDistance(features), metrics.ClassifierScore(features)]
        elif values <= LARGEST:
            chosen.append(metrics.FrechetDistance())
        else:
            print(f"frechet_distance is left out: it takes up to {LARGEST:,} values, and an image here has {values:,}.")
        # It takes no part in an evaluation, but for a condition that compares views `compile` wants one.
        augmentation = Affine() if gan.condition.compares_views else None
        gan.compile(metrics=chosen, augmentation=augmentation)
        logs = gan.evaluate(data, verbose=0, return_dict=True)
    found = {name: logs[name] for name in _MEANINGS if name in logs}
    count = sum(len(batch[0] if needs_labels else batch) for batch in data)
    title = f"{count:,} samples of {args.gan} against {args.data}, {split}; features: {args.features}"
    rows = [f"{name:22} {value:10.4g}  {_MEANINGS[name]}" for name, value in found.items()]
    return Result(
        {"gan": args.gan, "data": args.data, "split": split, "features": args.features, "count": count, **found},
        "\n".join([title, "", *rows]),
    )


def _load(args, batch_size, split, labels, image_size, channels):
    on_error = "skip" if args.skip_bad_images else "raise"
    try:
        # The same order each time: labels then meet the same latents.
        return datasets.load(
            args.data, batch_size, split, labels, image_size, seed=0, on_error=on_error, channels=channels
        )
    except ValueError as error:
        # Written for who calls it in Python.
        raise ValueError(str(error).replace("pass on_error='skip'", "give --skip-bad-images")) from error


# === export ===


def _add_export(commands):
    parser = _add_command(
        commands,
        "export",
        _export,
        help="write the generator as a file for a phone or a server",
        description="Writes the generator of a saved GAN as a file for another program, runs the written file beside "
        "the Keras generator, and leaves nothing behind unless they agree. A model card is written beside the file.",
    )
    parser.add_argument("gan", help="the GAN, or a generator alone: a .keras file")
    parser.add_argument("file", help="what to write: NAME.tflite, NAME.onnx, or NAME for a SavedModel")
    parser.add_argument(
        "--quantize",
        choices=("float16", "dynamic", "int8"),
        help="smaller weights for a .tflite file: 'dynamic' is a quarter of the size and the fastest on a CPU; "
        "'float16' half the size; 'int8' for hardware that has integers alone (default: float32)",
    )
    parser.add_argument(
        "--batch-sizes", type=int, nargs="+", default=[1], metavar="N", help="images per call, one function for each"
    )
    parser.add_argument("--sample", action="store_true", help="add sample(seed), which draws the latents itself")
    parser.add_argument("--output", choices=("float32", "uint8"), default="float32", help="images in [-1, 1], or bytes")
    parser.add_argument(
        "--card",
        action="append",
        default=[],
        metavar="FACT=TEXT",
        type=_fact,
        help="a fact for the model card, such as --card license='CC BY 4.0' --card data='70,000 faces'; repeatable",
    )


def _fact(text):
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be FACT=TEXT, received {text!r}")
    return name, value


def _export(args):
    model = saving.load_untrusted(args.gan)
    options = {
        "quantize": args.quantize,
        "batch_sizes": args.batch_sizes,
        "sample": args.sample,
        "output": args.output,
        "card": dict(args.card),
    }
    if isinstance(model, GAN):
        return model.export(args.file, **options)
    return export(model, args.file, **options)


# === benchmark ===


def _add_benchmark(commands):
    parser = _add_command(
        commands,
        "benchmark",
        lambda args: benchmark(args.file, args.threads, args.seconds),
        help="time a generator file",
        description="Times a generator file, whoever wrote it: latency and memory. Its one output is called image.",
    )
    parser.add_argument("file", help="a .tflite file, an .onnx file or the folder of a SavedModel")
    parser.add_argument(
        "--threads", type=_positive, nargs="+", default=[1, 2], metavar="N", help="how many to use (default: 1 2)"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to run for each (default: 1)")


def _positive(text):
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, received {text}")
    return value
