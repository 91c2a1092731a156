"""What `train` makes of pairs: a translation, and what its run leaves."""

import shlex

import numpy as np

from keras_gan import images
from keras_gan.checks import first_examples
from keras_gan.cli import report
from keras_gan.cli.common import load_translation
from keras_gan.cli.pairs import Pairs
from keras_gan.cli.source import COMPARED
from keras_gan.metrics import KernelDistance
from keras_gan.metrics.features.self_supervised import untrained
from keras_gan.settings import for_pairs

EXPORTED = "translator.tflite"
_SHOWN = 16


class Translation:
    """A translation of images; as `keras_gan.cli.generating.Generation`.

    Args:
        args: Namespace of the command line.
    """

    foreign = (
        *("labels", "architecture", "generator_width", "latent_dim", "r1", "augment", "simultaneous"),
        *("blocks", "cycle_weight", "identity_weight"),
    )
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
        return distance_of_sources(self.source.held_out, features, COMPARED)

    def export(self, model, run_dir):
        sources, _ = first_examples(self.source.held_out, COMPARED)
        return {EXPORTED: export_for_phones(model, run_dir / EXPORTED, data=sources)}

    def show(self, model, run_dir, features):
        # No nearest training images: an output is to be near to a target of its own.
        source, target = first_examples(self.source.held_out, _SHOWN)
        output = images.signed(model.predict(source, verbose=0), model.generator)
        pictures = {"source": source, "output": output, "target": target}
        # Transparent ones lie on white.
        stacks = report.stacks({name: images.side_by_side([x]) for name, x in pictures.items()})
        return "<p>Held-out pairs: source, output and target, from top to bottom.</p>" + stacks, []

    def commands(self, gan_file):
        args = self._args
        pairs = shlex.join(["--pairs", *args.pairs])
        for name in ("direction", "group"):
            if getattr(args, name) is not None:
                pairs += " " + shlex.join([f"--{name}", getattr(args, name)])
        if args.skip_bad_images:
            pairs += " --skip-bad-images"
        return [
            ("Translate a folder of images:", f"keras-gan translate {gan_file} IMAGES OUTPUTS"),
            (
                "Measure these figures again:",
                f"keras-gan evaluate {gan_file} {pairs} --split {shlex.quote(self.source.splits[1])} "
                "--features self_supervised",
            ),
        ]


def export_for_phones(model, path, **options):
    """Writes a small file, for GPUs if they can run all of it; returns the report of the export."""
    try:
        return model.export(path, quantize="dynamic", accelerator="gpu", **options)
    except ValueError:
        return model.export(path, quantize="dynamic", **options)


def distance_of_sources(data, features, max_examples):
    """Measures how far sources themselves are from targets: what a translation has to beat.

    Args:
        data: `tf.data.Dataset` of `(sources, targets)`.
        features: What metrics compare.
        max_examples: Int, how many they compare at most.

    Returns:
        Dict of `source_kernel_distance`; empty where channels differ, so that features can't compare.
    """
    source_shape, shape = (tuple(spec.shape[1:]) for spec in data.element_spec)
    if source_shape[2] != shape[2]:
        return {}
    scale = shape[0] // source_shape[0]
    metric = KernelDistance(features, max_examples)
    for source, target in data:
        metric.update_state(target, np.repeat(np.repeat(source, scale, 1), scale, 2))
    return {"source_kernel_distance": metric.result()["kernel_distance"]}
