"""The task of `train` on pairs: a translation and the files of its run."""

import shlex

import keras
import numpy as np

from keras_gan import images
from keras_gan.checks import first_examples
from keras_gan.cli import report
from keras_gan.cli.common import load_translation
from keras_gan.cli.pairs import Pairs
from keras_gan.cli.source import COMPARED
from keras_gan.metrics import PSNR, SSIM, KernelDistance
from keras_gan.metrics.features.self_supervised import untrained
from keras_gan.settings import PairSettings, for_pairs

EXPORTED = "translator.tflite"
_SHOWN = 16


class Translation:
    """A translation of images, with the interface of `keras_gan.cli.generating.Generation`.

    Args:
        args: Namespace of the command line.
    """

    takes = ("direction", "group", "scale", "target_channels")
    choices = PairSettings
    files = ()

    def __init__(self, args):
        self._args = args
        self.source = Pairs(args)
        self.title = f"A translation of {self.source.title}"

    def settings(self, minutes):
        return for_pairs(self.source.source_shape, self.source.shape, self.source.count, minutes)

    def start(self, path):
        return load_translation(path)

    def metrics(self, features):
        return [KernelDistance(features, max_examples=COMPARED)]

    def rehearse(self):
        return self.source.noise(), self.metrics(untrained(self.source.shape))

    def figures(self, features):
        return figures_of_sources(self.source.held_out, features, COMPARED)

    def export(self, model, run_dir):
        sources, _ = first_examples(self.source.held_out, COMPARED)
        return {EXPORTED: export_for_phones(model, run_dir / EXPORTED, data=sources)}

    def show(self, model, run_dir, features):
        # Nearest training images are not shown: an output should be near to its own target.
        source, target = first_examples(self.source.held_out, _SHOWN)
        output = images.signed(model.predict(source, verbose=0), model.generator)
        is_enlarged = source.shape != target.shape and source.shape[-1] == target.shape[-1]
        compared = {"bicubic": enlarge(source, target.shape[1:3])} if is_enlarged else {}
        pictures = {"source": source, **compared, "output": output, "target": target}
        # Transparent images are shown on white.
        stacks = report.stacks({name: images.side_by_side([x]) for name, x in pictures.items()})
        *first, last = pictures
        return f"<p>Held-out pairs: {', '.join(first)} and {last}, from top to bottom.</p>{stacks}", []

    def commands(self, gan_file):
        skip = " --skip-bad-images" if self._args.skip_bad_images else ""
        return [
            ("Translate a folder of images:", f"keras-gan translate {gan_file} IMAGES OUTPUTS"),
            (
                "Measure these metrics again:",
                f"keras-gan evaluate {gan_file} {self._data()}{skip} --split {shlex.quote(self.source.splits[1])} "
                "--features self_supervised",
            ),
        ]

    def _data(self):
        """Returns the options of `evaluate` that name the data."""
        args = self._args
        words = ["--pairs", *args.pairs]
        for name in ("direction", "group"):
            if getattr(args, name) is not None:
                words += [f"--{name}", getattr(args, name)]
        return shlex.join(words)


def export_for_phones(model, path, **options):
    """Writes a small file, for GPUs if they can run it entirely; returns the report of the export."""
    try:
        return model.export(path, quantize="dynamic", accelerator="gpu", **options)
    except ValueError:
        return model.export(path, quantize="dynamic", **options)


def enlarge(images, size):
    """Enlarges images by bicubic interpolation.

    Args:
        images: Array `(n, height, width, channels)` in [-1, 1].
        size: Pair of ints, the height and the width of the result.

    Returns:
        Array `(n, *size, channels)` in [-1, 1].
    """
    large = keras.ops.image.resize(images, size, "bicubic", data_format="channels_last")
    return np.clip(keras.ops.convert_to_numpy(large), -1, 1)


def figures_of_sources(data, features, max_examples):
    """Measures the distance between sources and targets, as a baseline that outputs should beat. If targets are larger,
    the sources are enlarged first.

    Args:
        data: `tf.data.Dataset` of `(sources, targets)`.
        features: Model that computes the features that metrics compare.
        max_examples: Int, the largest number of examples that metrics compare.

    Returns:
        Dict of `source_kernel_distance`, or of `bicubic_psnr`, `bicubic_ssim` and `bicubic_kernel_distance`; empty
        if channels differ: then nothing can be compared.
    """
    source_shape, shape = (tuple(spec.shape[1:]) for spec in data.element_spec)
    if source_shape[2] != shape[2]:
        return {}
    # If sources and targets have the same size, the task is not enlargement, and sources are not expected to equal
    # targets. So the PSNR of sources is meaningless.
    name, similarity = ("source", []) if source_shape == shape else ("bicubic", [PSNR(), SSIM()])
    distance = KernelDistance(features, max_examples)
    for source, target in data.as_numpy_iterator():
        source = enlarge(source, shape[:2]) if similarity else source
        for metric in (*similarity, distance):
            metric.update_state(target, source)
    found = {f"{name}_{metric.name}": float(metric.result()) for metric in similarity}
    return {**found, f"{name}_kernel_distance": distance.result()["kernel_distance"]}
