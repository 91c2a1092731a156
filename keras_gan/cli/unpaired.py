"""Two sets of images without pairs, given on the command line."""

import functools
import os
from pathlib import Path

from keras_gan import datasets
from keras_gan.cli.common import speaking_of_options
from keras_gan.cli.pairs import SMALLEST
from keras_gan.cli.source import (
    COLORS,
    COMPARED,
    DEFAULT_SIZE,
    LARGEST_OWN_SIZE,
    Source,
    describe_sizes,
    digest,
    hold_out,
    is_gray,
    repeated_noise,
)
from keras_gan.datasets.split import select
from keras_gan.metrics.features.self_supervised import FEWEST

# The smallest number of images of each set: features learn from both sets, and distances need two held-out images.
_FEWEST = FEWEST // 2 * 3 // 2


def load_both(args, batch_size, split, shape, seed, **options):
    """Loads both sets as `keras_gan.datasets.load_unpaired` does, but errors name options of the command line.

    Args:
        args: Namespace of `unpaired` and `skip_bad_images`.
        batch_size: Int.
        split: String, for both sets.
        shape: Tuple `(height, width, channels)` of an image of either set.
        seed: Int.
        **options: Other arguments of `load_unpaired`.
    """
    with speaking_of_options("--unpaired: ", train="cache" in options):
        return datasets.load_unpaired(
            *map(Path, args.unpaired),
            batch_size=batch_size,
            split=split,
            image_size=shape[:2],
            seed=seed,
            on_error="skip" if args.skip_bad_images else "raise",
            channels=shape[2],
            **options,
        )


def survey_both(args):
    """Returns a list of both sets' `keras_gan.datasets.Survey`."""
    with speaking_of_options("--unpaired: "):
        return [datasets.survey(f"folder:{path}") for path in args.unpaired]


def count(found, split="train"):
    """Counts the images that can be read in a part of a set.

    Args:
        found: `keras_gan.datasets.Survey` of the whole set.
        split: String. Defaults to `"train"`, the whole set.
    """
    return sum(found.names[i] not in found.unreadable for i in select(found.names, split))


def once(data, counts, batch_size):
    """Stops the batches of both sets before images of the smaller set are repeated, since metrics would count repeated
    images as additional images.

    Args:
        data: `tf.data.Dataset` of `load_both`.
        counts: List of ints, how many images of each set `data` has.
        batch_size: Int, the batch size of the result.

    Returns:
        `tf.data.Dataset` of known length.
    """
    import tensorflow as tf

    batches = data.unbatch().take(min(counts)).batch(batch_size)
    return batches.apply(tf.data.experimental.assert_cardinality(-(-min(counts) // batch_size)))


def mixed(data):
    """Joins the images of both sets in each batch: features learn to tell all of them apart."""
    import tensorflow as tf

    return data.map(lambda a, b: tf.concat([a, b], axis=0))


class Unpaired(Source):
    """Two sets of images to train on, and held-out images. Metrics compare the same number of held-out images from each
    set.

    Args:
        args: Namespace of `unpaired`, `image_size`, `channels`, `skip_bad_images`, `seed` and `cache`.

    Attributes:
        names: List of strings, the names of A and B.
        counts: List of ints, how many images of each set there are to train on; `count` is the larger number.

    Raises:
        ValueError: If there are no such folders or too few images, or if a size does not fit.
    """

    option = "--unpaired"

    def __init__(self, args):
        super().__init__(args)
        self._check_apart()
        self.names = [Path(path).resolve().name for path in args.unpaired]
        self.title = " and ".join(self.names)
        self._found = survey_both(args)
        self.unreadable = {
            f"{name}/{image}": reason
            for name, found in zip(self.names, self._found, strict=True)
            for image, reason in found.unreadable.items()
        }
        self.totals = [count(found) for found in self._found]
        if min(self.totals) < _FEWEST:
            hint = "" if args.skip_bad_images else self.refused or ""
            counted = [f"{path} with {total}" for path, total in zip(args.unpaired, self.totals, strict=True)]
            raise ValueError(
                f"--unpaired must have at least {_FEWEST} images that can be read in each folder, of which a third is "
                f"held out. Received: {' and '.join(counted)}. {hint}".strip()
            )
        self.splits, self._withheld = self._split()
        self.counts = [count(found, self.splits[0]) for found in self._found]
        self.count = max(self.counts)
        self.shape = (*self._size(), self._channels())

    def _check_apart(self):
        first, second = (Path(os.path.expanduser(path)).resolve() for path in self._args.unpaired)
        if first.is_relative_to(second) or second.is_relative_to(first):
            raise ValueError(
                "--unpaired must be two folders, neither inside the other. Received: "
                f"{' and '.join(self._args.unpaired)}."
            )

    def _split(self):
        """Returns the splits to train on and to compare, for both sets, and the names of each set's held-out images."""
        splits = hold_out(min((found.names for found in self._found), key=len))
        withheld = [[found.names[i] for i in select(found.names, splits[1])] for found in self._found]
        # Takes the same number of images from the end of each set, since metrics compare equal numbers of images.
        return (splits[0], f"train[-{min(COMPARED, *map(len, withheld))}:]"), withheld

    def _size(self):
        size = self._args.image_size
        if size is not None:
            if size % 4 or size < SMALLEST:
                raise ValueError(f"--image-size must be at least {SMALLEST} and divisible by 4. Received: {size}.")
            return size, size
        own = {size for found in self._found for size in (found.sizes[0], found.sizes[-1])}
        if len(own) == 1 and all(SMALLEST <= n <= LARGEST_OWN_SIZE and n % 4 == 0 for n in next(iter(own))):
            return own.pop()
        return DEFAULT_SIZE, DEFAULT_SIZE

    def _channels(self):
        if self._args.channels == 4:
            raise ValueError(
                "--channels must be 1 or 3 for --unpaired; 4, with transparency, is for --pairs. Received: 4."
            )
        # One number for both: features compare one set with the other.
        return self._args.channels or (1 if all(is_gray(found.modes) for found in self._found) else 3)

    def load(self, batch_size, split=0, flip=False, crop=0, seed=None):
        seed = self._args.seed if seed is None else seed
        options = {"flip": flip, "crop": crop, "cache": self._args.cache}
        data = load_both(self._args, batch_size, self.splits[split], self.shape, seed, **options)
        return once(data, [count(found, self.splits[1]) for found in self._found], batch_size) if split else data

    def noise(self, split=1):
        return repeated_noise(self.shape, self.shape, min(map(len, self._withheld)))

    @functools.cached_property
    def plain(self):
        """`tf.data.Dataset` of the images of both sets to train on, not mirrored or cropped."""
        return mixed(self.unvaried)

    def facts(self):
        """Returns a dict of the facts about the sets for `options.json`."""
        return {
            "total": self.totals,
            "train": self.splits[0],
            "compared": self.splits[1],
            "held_out": self._withheld,
            "names": [digest(found.names) for found in self._found],
            "shape": self.shape,
        }

    def __str__(self):
        lines = [f"{self.title}, without pairs"]
        for side, name, found, total in zip("AB", self.names, self._found, self.totals, strict=True):
            lines.append(f"{side}: {name}, {total:,} images, {describe_sizes(found.sizes)}, {', '.join(found.modes)}")
        counts, held_out = (
            " and ".join(f"{count:,}" for count in both) for both in (self.counts, map(len, self._withheld))
        )
        height, width, channels = self.shape
        lines.append(f"{counts} to train on, {held_out} held out, as {width}x{height} in {COLORS[channels]}")
        lines += self._say_small([found.sizes for found in self._found], [self.shape, self.shape])
        if len({tuple(sorted(map(_stem, found.names))) for found in self._found}) == 1:
            lines.append(
                "Both hold the same names: if images of one name belong together, --pairs would learn more from them."
            )
        return "\n".join(lines + self._say_left_out(self._args.unpaired, [found.others for found in self._found]))


def _stem(name):
    return os.path.splitext(name)[0]
