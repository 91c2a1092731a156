"""Large images given on the command line, and the small ones that are made from them as sources."""

import functools
import os

from keras_gan import datasets
from keras_gan.cli.common import speaking_of_options
from keras_gan.cli.pairs import SMALLEST
from keras_gan.cli.source import Images, repeated_noise


def add_options(parser):
    """Adds the option that makes small sources from images."""
    parser.add_argument(
        "--degrade",
        type=int,
        choices=(2, 4),
        help="super-resolution: make sources from the folder's images, 2 or 4 times smaller, blurred and noisy",
    )


def load_degraded(folder, degrade, batch_size, split, shape, skip_bad, seed, **options):
    """Loads the pairs that `keras_gan.datasets.load_pairs` makes from images; errors name options of the command line.

    Args:
        folder: String, the path of the images.
        degrade: Int, how many times smaller sources are.
        batch_size: Int.
        split: String, as in `load_pairs`.
        shape: Tuple `(height, width, channels)` of a target.
        skip_bad: Bool, whether to skip images that can't be read.
        seed: Int.
        **options: Other arguments of `load_pairs`.
    """
    with speaking_of_options("--degrade: ", train="cache" in options):
        return datasets.load_pairs(
            folder,
            batch_size=batch_size,
            split=split,
            image_size=shape[:2],
            degrade=degrade,
            seed=seed,
            on_error="skip" if skip_bad else "raise",
            channels=shape[2],
            **options,
        )


class Degraded(Images):
    """Images that are targets, with sources that are made from them.

    Args:
        args: Namespace as for `Images`, which also has `degrade`.

    Attributes:
        source_shape: Tuple `(height, width, channels)` of a source; `shape` is that of a target.

    Raises:
        ValueError: If `args.source` is not a folder, or if `Images` raises a ValueError.
    """

    smallest = SMALLEST

    def __init__(self, args):
        if not os.path.isdir(os.path.expanduser(args.source)):
            raise ValueError(
                f"--degrade is for a folder of images. Received: {args.source}. Give the path of a folder that exists."
            )
        super().__init__(args)
        height, width, channels = self.shape
        self.source_shape = (height // args.degrade, width // args.degrade, channels)

    def load(self, batch_size, split=0, flip=False, crop=0, seed=None):
        args, seed = self._args, self._args.seed if seed is None else seed
        return load_degraded(
            args.source,
            args.degrade,
            batch_size,
            self.splits[split],
            self.shape,
            args.skip_bad_images,
            seed,
            flip=flip,
            crop=crop,
            cache=args.cache,
        )

    def noise(self, split=1):
        return repeated_noise(self.source_shape, self.shape, self._count_withheld())

    @functools.cached_property
    def plain(self):
        """`tf.data.Dataset` of the targets to train on, not mirrored or cropped."""
        return self.unvaried.map(lambda source, target: target)

    def check(self):
        # Targets only: noise makes the sources differ even if all images are the same.
        self._check_differ(self.plain)

    def facts(self):
        return {**super().facts(), "source_shape": self.source_shape}

    def __str__(self):
        height, width, _ = self.source_shape
        first, counts, *others = super().__str__().split("\n")
        return "\n".join([first, f"{counts}, with sources of {width}x{height} made from them", *others])
