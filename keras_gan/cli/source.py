"""Training data given on the command line."""

import functools
import hashlib
import warnings
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from keras_gan import datasets
from keras_gan.cli.common import data_name, load_images, speaking_of_options
from keras_gan.conditions import Labels
from keras_gan.datasets.split import select
from keras_gan.metrics.features.self_supervised import FEWEST, SMALLEST
from keras_gan.settings.base import noise, noise_of_two

# By default the last tenth is held out; a set's own test split is used instead, where there is one. Metrics compare at
# most COMPARED held-out images.
_HELD_OUT, COMPARED = "train[90%:]", 1000
# A set smaller than _SMALL holds out _FEW images, but never more than a third of all: features need the others. No set
# may be smaller than _FEWEST.
_SMALL, _FEW, _FEWEST = 160, 16, FEWEST * 3 // 2
DEFAULT_SIZE, LARGEST_OWN_SIZE = 64, 128
BATCH = 250
_GRAY = ("1", "L", "LA", "I", "I;16", "F")
COLORS = {1: "gray", 3: "color", 4: "color with transparency"}


class Source:
    """Training and held-out data. Each kind has a subclass.

    Args:
        args: Namespace of the command line.

    Attributes:
        option: String, the option that names the data.
        defect: String, the reason why examples are left out.
        title: String, the name of the data.
        names: List of strings, the names of the sets of images: one set, source and target, or A and B.
        shape: Tuple `(height, width, channels)` of an image to make.
        count: Int, how many examples there are to train on, without those that can't be read.
        splits: Pair of strings, the split to train on, and the split that metrics compare.
        unreadable: Dict from the names of examples that can't be read to the reasons.
    """

    option, defect = "source", "images can't be read"

    def __init__(self, args):
        self._args = args
        # Images above Pillow's pixel limit can't be read. They are counted and listed as unreadable.
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

    def load(self, batch_size, split=0, flip=False, crop=0, seed=None):
        """Loads examples.

        Args:
            batch_size: Int.
            split: 0 for the examples to train on, 1 for those that metrics compare. Defaults to `0`.
            flip: Bool, whether to mirror examples at random. Defaults to False.
            crop: Int, by how many pixels images are read larger, so that random windows can be cropped. Defaults to
                `0`.
            seed: Int. Defaults to None, the seed of the command line.

        Returns:
            `tf.data.Dataset`.
        """
        raise NotImplementedError

    @functools.cached_property
    def held_out(self):
        """`tf.data.Dataset` of the examples that metrics compare, always in the same order."""
        import tensorflow as tf

        batches = list(self.load(BATCH, split=1, seed=0))
        parts = [np.concatenate(part) for part in zip(*map(keras.tree.flatten, batches), strict=True)]
        return tf.data.Dataset.from_tensor_slices(tuple(parts) if len(parts) > 1 else parts[0]).batch(BATCH)

    def noise(self, split=0):
        """Makes noise in place of examples, at most `COMPARED`.

        Args:
            split: As in `load`. Split 0, for which the noise has no labels, is the default of `Images`. Other
                subclasses support only split 1, their default.

        Returns:
            `tf.data.Dataset`. All batches are the same: memory does not grow with their number.
        """
        raise NotImplementedError

    @functools.cached_property
    def unvaried(self):
        """`tf.data.Dataset` of the examples to train on, neither mirrored nor cropped at random."""
        return self.load(BATCH)

    def check(self):
        """Raises a ValueError if the first batch shows that nothing can be learned."""
        self._check_differ(self.unvaried)

    def _check_differ(self, examples):
        first = map(np.asarray, keras.tree.flatten(next(iter(examples))))
        # Not strict: labels may follow the images.
        for name, images in zip(self.names, first, strict=False):
            if len(images) > 1 and (images == images[:1]).all():
                raise ValueError(
                    f"{self.option} must hold different images. Received: {name}, whose first {len(images)} are "
                    "the same."
                )

    @property
    def refused(self):
        """String, the reason why a run can't begin, or None."""
        if self.unreadable:
            return f"{self._named_unreadable()}. Repair them, take them out, or give --skip-bad-images."
        return None

    def _named_unreadable(self):
        named = [f"{name} ({reason})" for name, reason in self.unreadable.items()]
        return f"{len(named)} {self.defect}: {first_named(named)}"

    def _say_small(self, sizes, shapes):
        """Returns a line for each set in `names` with images smaller than its shape, which are enlarged. Both arguments
        have an entry for each set."""
        return [
            f"Some images of {name} are smaller, down to {each[0][1]}x{each[0][0]}: they are enlarged."
            for name, each, shape in zip(self.names, sizes, shapes, strict=True)
            if min(each[0]) < min(shape[:2])
        ]

    def _say_left_out(self, paths, others):
        """Returns lines that name the examples that can't be read, and files of other kinds in each folder."""
        lines = []
        if self.unreadable:
            lines.append(self._named_unreadable())
        return lines + [
            f"{len(names)} files of {path} are of other kinds, such as {names[0]}"
            for path, names in zip(paths, others, strict=False)
            if names
        ]


def repeated(batch, count):
    """Repeats a `tf.data.Dataset` of one batch until it has `count` examples."""
    return batch.unbatch().repeat().take(count).batch(BATCH)


def repeated_noise(shape, other, count):
    """Makes noise in place of `count` pairs, but at most `COMPARED`, as `Source.noise` does."""
    count = min(COMPARED, count)
    return repeated(noise_of_two(shape, other, min(count, BATCH)), count)


def hold_out(names):
    """Returns a pair of strings: the split of files, or of groups of files, to train on, and the held-out split."""
    few = min(_FEW, len(names) // 3)
    return ("train[:90%]", _HELD_OUT) if len(names) >= _SMALL else (f"train[:-{few}]", f"train[-{few}:]")


def is_gray(modes):
    """Tells if images of all these color modes are gray."""
    return all(mode in _GRAY for mode in modes)


def digest(names):
    """Returns a hash of names."""
    return hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()


def describe_sizes(sizes):
    """Describes the range of image sizes in a string."""
    smallest, median, largest = (f"{width}x{height}" for height, width in sizes)
    return smallest if smallest == largest else f"{smallest} to {largest} pixels, median {median}"


def first_named(names):
    """Lists the first ten names in a string."""
    return "; ".join(names[:10]) + ("; ..." if len(names) > 10 else "")


class Images(Source):
    """Images to train on, and held-out images.

    Args:
        args: Namespace of `source`, `image_size`, `channels`, `labels`, `skip_bad_images`, `seed` and `cache`.

    Attributes:
        smallest: Int, the smallest height and width that is allowed, in pixels.
        name: String, as `keras_gan.datasets.load` takes it.
        title: String, the name of the images.
        shape: Tuple `(height, width, channels)` of an image to train on.
        condition: `Labels`, or None.
        count: Int, how many images there are to train on, without those that can't be read.
        splits: Pair of strings, the split to train on, and the split that metrics compare.

    Raises:
        ValueError: If there are no such images, too few, or too few of a class.
    """

    smallest = SMALLEST

    def __init__(self, args):
        super().__init__(args)
        self.name = data_name(args.source)
        self.title = Path(args.source).resolve().name if self.name.startswith("folder:") else args.source
        self.names = [self.title]
        with speaking_of_options():
            found = datasets.survey(self.name, labels=args.labels, download=not args.dry_run)
        if found.count is None:
            raise ValueError(
                f"source must be downloaded already for --dry-run. Received: {args.source}, which is not. A run "
                "without --dry-run downloads it."
            )
        self._found, self.unreadable = found, found.unreadable
        self.total = found.count - len(found.unreadable)
        self._check_count(self.total, _FEWEST, "that can be read, of which a third is held out")
        self.splits, self._withheld = self._split()
        self.count = self._count_train()
        self._check_count(self.count, FEWEST, "to train on, in addition to those held out")
        self.shape = (*self._size(), self._channels())
        self.condition = self._condition() if args.labels else None

    def _check_count(self, count, fewest, kind):
        if count < fewest:
            raise ValueError(
                f"source must have at least {fewest} images {kind}. Received: {self._args.source}, with {count}."
            )

    def _split(self):
        """Returns both splits, and the number or the names of the held-out images."""
        names = self._found.names
        if names is None:
            test = self._test_split()
            if test is not None:
                return ("train", "test" if test.count <= COMPARED else f"test[:{COMPARED}]"), test.count
            splits, held_out = ("train[:90%]", _HELD_OUT), datasets.survey(self.name, _HELD_OUT).count
        else:
            splits = hold_out(names)
            held_out = [names[i] for i in select(names, splits[1])]
        count = held_out if names is None else len(held_out)
        return (splits[0], splits[1] if count <= COMPARED else f"train[-{COMPARED}:]"), held_out

    def _test_split(self):
        try:
            return datasets.survey(self.name, "test")
        except ValueError:
            return None

    def _count_train(self):
        if self._found.names is None:
            return datasets.survey(self.name, self.splits[0]).count
        return self.total - len(set(self._withheld) - set(self.unreadable))

    def _size(self):
        size = self._args.image_size
        if size is not None:
            if size % 4 or size < self.smallest:
                near = max(self.smallest, round(size / 4) * 4)
                raise ValueError(
                    f"--image-size must be divisible by 4, and at least {self.smallest}. Received: {size}. Give {near}."
                )
            return (size,) * 2
        smallest, _, largest = self._found.sizes or (None, None, None)
        is_one_size = smallest is not None and smallest == largest
        if is_one_size and all(self.smallest <= n <= LARGEST_OWN_SIZE and n % 4 == 0 for n in smallest):
            return smallest
        return (DEFAULT_SIZE,) * 2

    def _channels(self):
        own = 1 if is_gray(self._found.modes) else 3
        if self._args.channels == 4:
            raise ValueError("--channels must be 1 or 3 for images; 4, with transparency, is for --pairs. Received: 4.")
        if self._args.channels not in (None, own) and self._found.names is None:
            raise ValueError(
                f"--channels must be {own}, as many as images of {self.name} have. Received: {self._args.channels}. "
                "Leave it out."
            )
        return self._args.channels or own

    def _condition(self):
        classes = self._found.classes
        small = [name for name, count in classes.items() if count < 2]
        if small or len(classes) < 2:
            raise ValueError(
                "--labels needs at least two classes, such as subfolders, with at least two images each. Received: "
                + (f"{len(classes)}." if len(classes) < 2 else f"{', '.join(small[:10])} with fewer.")
            )
        return Labels(len(classes))

    def load(self, batch_size, split=0, flip=False, crop=0, seed=None):
        is_folder = self._found.names is not None
        return load_images(
            self.name,
            batch_size,
            self.splits[split],
            skip_bad=self._args.skip_bad_images,
            labels=self._args.labels,
            image_size=self.shape[:2],
            seed=self._args.seed if seed is None else seed,
            channels=self.shape[2] if is_folder else None,
            flip=flip,
            crop=crop,
            cache=self._args.cache,
        )

    def noise(self, split=0):
        count = min(COMPARED, self._count_withheld() if split else self.count)
        return repeated(noise(self.shape, min(count, BATCH), self.condition if split else None), count)

    def _count_withheld(self):
        return self._withheld if isinstance(self._withheld, int) else len(self._withheld)

    @functools.cached_property
    def plain(self):
        """`tf.data.Dataset` of the images to train on, without labels, not mirrored or cropped."""
        return self.unvaried.map(lambda images, labels: images) if self._args.labels else self.unvaried

    def facts(self):
        """Returns a dict of the facts about the images for `options.json`."""
        names = self._found.names
        facts = {"total": self.total, "train": self.splits[0], "compared": self.splits[1], "held_out": self._withheld}
        if names is not None:
            facts["names"] = digest(names)
        return {**facts, "shape": self.shape, "classes": list(self._found.classes) if self._args.labels else []}

    def __str__(self):
        found = self._found
        sizes = "" if found.sizes is None else f", {describe_sizes(found.sizes)}"
        lines = [f"{self._args.source}: {self.total:,} images{sizes}, {', '.join(found.modes) or 'unknown colors'}"]
        count = self._count_withheld()
        height, width, channels = self.shape
        lines.append(f"{self.count:,} to train on, {count:,} held out, as {width}x{height} in {COLORS[channels]}")
        if self._args.labels:
            classes = found.classes.items()
            listed = ", ".join(f"{name} ({count:,})" for name, count in list(classes)[:10])
            lines.append(f"{len(classes)} classes: {listed}{', ...' if len(classes) > 10 else ''}")
        small = [] if found.sizes is None else self._say_small([found.sizes], [self.shape])
        return "\n".join([*lines, *small, *self._say_left_out([self._args.source], [found.others])])
