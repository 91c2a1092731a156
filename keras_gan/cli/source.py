"""Images to train on, as the command line names them."""

import functools
import hashlib
import os
import warnings
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from keras_gan import datasets
from keras_gan.cli.common import load_images
from keras_gan.conditions import Labels
from keras_gan.datasets.split import select
from keras_gan.metrics.features.self_supervised import FEWEST, SMALLEST
from keras_gan.settings import noise

# Held out: the last tenth, of which metrics compare so many.
_HELD_OUT, COMPARED = "train[90%:]", 1000
# A set of fewer holds out so many images, but never more than a third of them; features need the others.
_SMALL, _FEW, _FEWEST = 160, 16, FEWEST * 3 // 2
_DEFAULT_SIZE, _LARGEST_OWN_SIZE = 64, 128
_BATCH = 250
_GRAY = ("1", "L", "LA", "I", "I;16", "F")
_COLORS = {1: "gray", 3: "color"}


class Source:
    """Images to train on, and images that are held out.

    Args:
        args: Namespace of `source`, `image_size`, `channels`, `labels`, `skip_bad_images`, `seed` and `cache`.

    Attributes:
        name: String, as `keras_gan.datasets.load` takes it.
        title: String, what the images are called.
        shape: Tuple `(height, width, channels)` of an image to train on.
        condition: `Labels`, or None.
        count: Int, how many images there are to train on, those that can't be read left out.
        splits: Pair of strings, what is trained on, and what metrics compare.
        unreadable: Dict from the names of images that can't be read to the reasons.

    Raises:
        ValueError: If there are no such images, too few, or too few of a class.
    """

    def __init__(self, args):
        self._args = args
        # They are counted and named.
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
        self.name = f"folder:{args.source}" if os.path.isdir(os.path.expanduser(args.source)) else args.source
        self.title = Path(args.source).resolve().name if self.name.startswith("folder:") else args.source
        found = datasets.survey(self.name, labels=args.labels, download=not args.dry_run)
        if found.count is None:
            raise ValueError(
                f"source must be at hand for --dry-run. Received: {args.source}, a set that is not downloaded yet; "
                "without --dry-run it is."
            )
        self._found, self.unreadable = found, found.unreadable
        self.total = found.count - len(found.unreadable)
        self._check_count(self.total, _FEWEST)
        self.splits, self._withheld = self._split()
        self.count = self._count_train()
        self._check_count(self.count, FEWEST)
        self.shape = (*self._size(), self._channels())
        self.condition = self._condition() if args.labels else None

    def _check_count(self, count, fewest):
        if count < fewest:
            raise ValueError(
                f"source must have at least {_FEWEST} images that can be read, of which a third is held out. Received: "
                f"{self._args.source}, with {self.total}."
            )

    def _split(self):
        """Returns both splits, and the images that are held out: their number, or their names."""
        names = self._found.names
        if names is None:
            test = self._test_split()
            if test is not None:
                return ("train", "test" if test.count <= COMPARED else f"test[:{COMPARED}]"), test.count
            splits, held_out = ("train[:90%]", _HELD_OUT), datasets.survey(self.name, _HELD_OUT).count
        else:
            few = min(_FEW, len(names) // 3)
            splits = ("train[:90%]", _HELD_OUT) if len(names) >= _SMALL else (f"train[:-{few}]", f"train[-{few}:]")
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
            if size % 4 or size < SMALLEST:
                near = max(SMALLEST, round(size / 4) * 4)
                raise ValueError(
                    f"--image-size must be divisible by 4, and at least {SMALLEST}. Received: {size}. Give {near}."
                )
            return (size,) * 2
        smallest, _, largest = self._found.sizes or (None, None, None)
        is_one_size = smallest is not None and smallest == largest
        if is_one_size and all(SMALLEST <= n <= _LARGEST_OWN_SIZE and n % 4 == 0 for n in smallest):
            return smallest
        return (_DEFAULT_SIZE,) * 2

    def _channels(self):
        is_gray = all(mode in _GRAY for mode in self._found.modes)
        own = 1 if is_gray else 3
        if self._args.channels not in (None, own) and self._found.names is None:
            raise ValueError(f"--channels must be {own}, those of {self.name}. Received: {self._args.channels}.")
        return self._args.channels or own

    def _condition(self):
        classes = self._found.classes
        small = [name for name, count in classes.items() if count < 2]
        if small or len(classes) < 2:
            raise ValueError(
                "--labels need at least two classes, subfolders of two images each. Received: "
                + (f"{len(classes)}." if len(classes) < 2 else f"{', '.join(small[:10])} with less.")
            )
        return Labels(len(classes))

    def load(self, batch_size, split=0, flip=False, labels=None, seed=None):
        """Loads images.

        Args:
            batch_size: Int.
            split: 0 for those to train on, 1 for those that metrics compare. Defaults to `0`.
                flip: Bool, whether they are mirrored at random. Defaults to False.
            labels: Bool. Defaults to None, as the command line says.
            seed: Int. Defaults to None, as the command line says.

        Returns:
            `tf.data.Dataset`, as `keras_gan.datasets.load` returns it.
        """
        is_folder = self._found.names is not None
        return load_images(
            self.name,
            batch_size,
            self.splits[split],
            skip_bad=self._args.skip_bad_images,
            labels=self._args.labels if labels is None else labels,
            image_size=self.shape[:2],
            seed=self._args.seed if seed is None else seed,
            channels=self.shape[2] if is_folder else None,
            flip=flip,
            cache=self._args.cache,
        )

    @functools.cached_property
    def held_out(self):
        """`tf.data.Dataset` of the images that metrics compare, in one order."""
        import tensorflow as tf

        batches = list(self.load(_BATCH, split=1, seed=0))
        parts = [np.concatenate(part) for part in zip(*map(keras.tree.flatten, batches), strict=True)]
        arrays = tuple(parts) if self._args.labels else parts[0]
        return tf.data.Dataset.from_tensor_slices(arrays).batch(_BATCH)

    def noise(self, split=0):
        """Makes noise in the place of images: `held_out`, or as many to train on, without labels.

        Args:
            split: As in `load`. Defaults to `0`.

        Returns:
            `tf.data.Dataset`. All batches are the same: memory does not grow with their number.
        """
        count = min(COMPARED, self._count_withheld() if split else self.count)
        some = noise(self.shape, min(count, _BATCH), self.condition if split else None)
        return some.unbatch().repeat().take(count).batch(_BATCH)

    def _count_withheld(self):
        return self._withheld if isinstance(self._withheld, int) else len(self._withheld)

    @functools.cached_property
    def plain(self):
        """`tf.data.Dataset` of the images to train on, without labels, as they are."""
        return self.load(_BATCH, labels=False)

    def check(self, train):
        """Raises a ValueError if all images of the first batch are the same."""
        first = np.asarray(keras.tree.flatten(next(iter(train)))[0])
        if len(first) > 1 and (first == first[:1]).all():
            raise ValueError(f"source must hold different images. Received: {self._args.source}, where all are one.")

    def facts(self):
        """Returns what `options.json` says of the images, a dict."""
        names = self._found.names
        facts = {"total": self.total, "train": self.splits[0], "compared": self.splits[1], "held_out": self._withheld}
        if names is not None:
            facts["names"] = hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()
        return {**facts, "shape": self.shape, "classes": list(self._found.classes) if self._args.labels else []}

    def __str__(self):
        found = self._found
        sizes = ""
        if found.sizes is not None:
            smallest, median, largest = (f"{width}x{height}" for height, width in found.sizes)
            one = smallest == largest
            sizes = f", {smallest}" if one else f", {smallest} to {largest} pixels, {median} in the middle"
        lines = [f"{self._args.source}: {self.total:,} images{sizes}, {', '.join(found.modes) or 'unknown colors'}"]
        count = self._count_withheld()
        height, width, channels = self.shape
        lines.append(f"{self.count:,} to train on, {count:,} held out, as {width}x{height} in {_COLORS[channels]}")
        if self._args.labels:
            classes = found.classes.items()
            listed = ", ".join(f"{name} ({count:,})" for name, count in list(classes)[:10])
            lines.append(f"{len(classes)} classes: {listed}{', ...' if len(classes) > 10 else ''}")
        if found.sizes is not None and min(found.sizes[0]) < min(self.shape[:2]):
            lines.append(
                f"Some are smaller than that, down to {found.sizes[0][1]}x{found.sizes[0][0]}: they are enlarged."
            )
        if self.unreadable:
            first = "; ".join(f"{name} ({reason})" for name, reason in list(self.unreadable.items())[:10])
            lines.append(f"{len(self.unreadable)} can't be read: {first}")
        if found.others:
            lines.append(f"{len(found.others)} files are of other kinds, such as {found.others[0]}")
        return "\n".join(lines)
