"""The task of `train` on images: a GAN and the files of its run."""

import shlex

import numpy as np

from keras_gan import images, metrics, walks
from keras_gan.cli import report
from keras_gan.cli.common import load_gan
from keras_gan.cli.source import COMPARED, Images
from keras_gan.metrics import FrechetDistance, KernelDistance, Memorization, PrecisionRecall
from keras_gan.metrics.features.self_supervised import untrained
from keras_gan.settings import ImageSettings, for_images

_SAMPLES, _NEIGHBORS = 64, 16
# Settings of the walk: the number of pictures side by side, the number of stops, and the number of frames between two
# stops.
_COLUMNS, _STOPS, _FRAMES = 6, 6, 10


class Generation:
    """A GAN of images.

    Args:
        args: Namespace of the command line.

    Attributes:
        takes: Tuple of strings, the data options that only this task uses.
        choices: Class from `keras_gan.settings`, whose attributes are the available settings.
        source: `keras_gan.cli.source.Source`, the images.
        title: String, the title of the report.
        files: Tuple of pairs `(name, description)`, the files that this task writes besides those of every run.
    """

    takes = ("labels",)
    choices = ImageSettings
    files = (("walk.gif", "a walk between samples"),)

    def __init__(self, args):
        self.source = Images(args)
        self.title = f"A generator of {self.source.title}"
        # The state of `Memorization` for the training images, computed once: it takes a pass over all of them.
        self._known = None

    def settings(self, minutes):
        """Returns the chosen settings, `keras_gan.settings.ImageSettings`."""
        return for_images(self.source.shape, self.source.count, minutes, self.source.condition)

    def start(self, path):
        """Loads the model to start from."""
        return load_gan(path)

    def metrics(self, features):
        """Makes the metrics for evaluations."""
        memorization = Memorization(features)
        if self._known is None:
            self._known = {}
            Memorization(features, self.source.plain).save_own_variables(self._known)
        memorization.load_own_variables(self._known)
        return _metrics(features, memorization)

    def rehearse(self):
        """Returns what is needed to time an evaluation without reading images: random noise in place of the held-out
        images, and metrics that take as long as the real ones."""
        found = untrained(self.source.shape)
        return self.source.noise(split=1), _metrics(found, Memorization(found, self.source.noise()))

    def figures(self, features):
        """Returns a dict of figures in addition to those of evaluations."""
        return {}

    def export(self, gan, run_dir):
        """Writes the files for phones; returns a dict from their names to the reports of their exports."""
        name = "generator.tflite"
        return {name: gan.export(run_dir / name, quantize="dynamic", sample=True)}

    def show(self, gan, run_dir, features):
        """Draws samples of the GAN.

        Returns:
            The report's opening, HTML; and its sections, a list of `(heading, HTML)`.
        """
        _write_walk(run_dir / "walk.gif", gan)
        samples = gan.preview(_SAMPLES)
        some = samples[:_NEIGHBORS]
        nearest = metrics.nearest(features, some, self.source.plain).images[:, 0]
        return report.picture(images.grid(samples, columns=16), "samples", scale=2), [
            (
                "Are samples copies?",
                "<p>Each sample, and the training image nearest to it.</p>"
                + report.stacks({"sample": some, "training image": nearest}),
            ),
            (
                "A walk between samples",
                report.animation((run_dir / "walk.gif").read_bytes(), "a walk between samples"),
            ),
        ]

    def commands(self, gan_file):
        """Returns commands for the GAN, a list of `(purpose, command)`, strings."""
        return [
            ("Draw samples:", f"keras-gan sample {gan_file} --out samples.png"),
            (
                "Measure these metrics again:",
                f"keras-gan evaluate {gan_file} --data {shlex.quote(self.source.name)} "
                f"--split {shlex.quote(self.source.splits[1])} --features self_supervised",
            ),
        ]


def _metrics(features, memorization):
    buffered = [metric(features, max_examples=COMPARED) for metric in (KernelDistance, PrecisionRecall)]
    return [*buffered, FrechetDistance(features), memorization]


def _write_walk(path, gan):
    stops = np.reshape(gan.prior.sample(_STOPS * _COLUMNS, 0), (_STOPS, _COLUMNS, -1))
    way = walks.tour(stops, _FRAMES)
    # All pictures of a column are of one class.
    given = gan.condition.default_given(_COLUMNS)
    given = None if given is None else np.tile(given, len(way))
    inputs = gan.condition.generator_inputs(way.reshape(-1, way.shape[-1]), given)
    made = images.signed(gan.predict(inputs, verbose=0), gan.best_generator)
    rows = made.reshape(len(way), _COLUMNS, *made.shape[1:])
    pictures = [images.grid(row, columns=_COLUMNS) for row in rows]
    images.save_animation(path, pictures, scale=max(1, 96 // made.shape[1]))
