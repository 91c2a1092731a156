"""Base class of settings, and helpers that several subclasses share."""

import dataclasses
import math
import typing

import keras
import numpy as np

from keras_gan import callbacks, checks, defaults, losses, pace
from keras_gan.checks.values import check_integer, check_number, check_path
from keras_gan.schedules import ConstantThenLinear

# The largest number of evaluations of a run, and the largest share of its time that they may take.
_MOST_EPOCHS, _LOOKING = 40, 0.1
# The fewest steps of an epoch: fewer say little about progress.
_FEWEST_STEPS = 50
_DRAWN_PAIRS = 16
# The smallest side that a patch discriminator accepts.
_SMALLEST = 16


@dataclasses.dataclass(kw_only=True)
class Settings:
    """Base class of settings.

    A subclass adds its own choices, documents all attributes, builds the model and gives the reasons.
    """

    # The log by which the best epoch is chosen.
    monitor = "val_kernel_distance"
    # The class of the model.
    _kind = None
    # Choices that follow from other choices, unless they are given explicitly.
    _following: typing.ClassVar = {"epochs": {"steps", "batch_size", "count", "count_a", "count_b"}}

    count: int
    minutes: float | None = None
    width: int = 16
    batch_size: int = 16
    learning_rate: float = defaults.LEARNING_RATE
    loss: object = "non_saturating"
    flip: bool = True
    crop: int = 0
    ema: float = defaults.EMA
    seed: int | None = None
    steps: int | None = None
    epochs: int | None = None

    def __post_init__(self):
        for name in ("count", "width", "batch_size"):
            setattr(self, name, check_integer(name, getattr(self, name)))
        self.crop = check_integer("crop", self.crop, 0)
        self.learning_rate = check_number("learning_rate", self.learning_rate, 0, open_low=True)
        self.ema = check_number("ema", self.ema, 0, 1, open_high=True)
        self.seed = checks.check_seed(self.seed)
        if self.minutes is not None:
            self.minutes = check_number("minutes", self.minutes, 0, open_low=True)
        losses.get(self.loss)
        if self.steps is None:
            # Until something has been measured: each example is seen a hundred times.
            self.steps = 100 * math.ceil(self.count / self.batch_size)
        self._divide(check_integer("steps", self.steps), self.epochs)

    def _divide(self, steps, epochs=None):
        """Sets the number of steps, rounded down so that all epochs have the same number."""
        most = max(1, min(_MOST_EPOCHS, steps // _FEWEST_STEPS))
        self.epochs = most if epochs is None else min(steps, check_integer("epochs", epochs))
        self.steps = steps // self.epochs * self.epochs

    @property
    def steps_per_epoch(self):
        """Int, the steps between two evaluations."""
        return self.steps // self.epochs

    def replace(self, **changes):
        """Returns settings with other choices.

        Args:
            **changes: Attributes to change. If `steps`, `batch_size` or a count is changed and `epochs` is not,
                `epochs` is chosen anew; for images, `generator_width` likewise if `width` is changed.

        Raises:
            ValueError: If there is no such choice, or a value is out of range.
        """
        known = {field.name for field in dataclasses.fields(self) if field.init}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise ValueError(f"replace takes {', '.join(sorted(known))}. Received: {', '.join(unknown)}.")
        followers = {name: None for name, leaders in self._following.items() if changes.keys() & leaders}
        return dataclasses.replace(self, **{**followers, **changes})

    def build(self, metrics=(), start_from=None):
        """Builds the model and compiles it.

        Args:
            metrics: List of metrics from `keras_gan.metrics`, for evaluations. Defaults to none. For pairs, the mean
                absolute error, PSNR and SSIM are always added.
            start_from: Model for such images, pairs or sets, to continue its training. Its networks and all their
                weights are kept, with its own `width`, `ema`, `seed` and all else that the networks were built with.
                Defaults to None, new networks.

        Returns:
            Compiled `keras_gan.GAN`, `keras_gan.Pix2Pix` for pairs, or `keras_gan.CycleGAN` for two sets.

        Raises:
            ValueError: If `start_from` is of another class, makes other images, or takes other inputs.
        """
        if start_from is None:
            model = self._networks()
        else:
            if not isinstance(start_from, self._kind):
                raise ValueError(
                    f"start_from must be a {self._kind.__name__}, which these settings train. "
                    f"Received: a {type(start_from).__name__}."
                )
            model = self._check_start(start_from)
        self._compile(model, metrics)
        return model

    def _optimizers(self, beta_1, alpha):
        """Makes the optimizers of both players; `alpha` is the share of their rate that is left at the end."""
        rate = ConstantThenLinear(self.learning_rate, self.steps, alpha=alpha)
        players = "generator_optimizer", "discriminator_optimizer"
        return {name: keras.optimizers.Adam(rate, beta_1=beta_1) for name in players}

    @property
    def _variant(self):
        """Returns a setting that changes the time of a step and depends on the number of steps, or None."""
        return None

    def _networks(self):
        """Builds the model."""
        raise NotImplementedError

    def _compile(self, model, metrics):
        raise NotImplementedError

    def _check_start(self, model):
        """Returns the model to start from, or raises a ValueError."""
        raise NotImplementedError

    def _grid(self, validation_data):
        """Returns the arguments of `SampleGrid`, a dict; None for no pictures."""
        raise NotImplementedError

    def _noise(self):
        """Makes one batch of noise in place of examples, a `tf.data.Dataset`."""
        raise NotImplementedError

    def epoch(self, train):
        """Makes the data of one epoch: `steps_per_epoch` batches.

        Args:
            train: `tf.data.Dataset` from `keras_gan.datasets.load`, `load_pairs` or `load_unpaired`, with the
                `batch_size`, `flip` and `crop` of these settings.

        Returns:
            `tf.data.Dataset` of known length.
        """
        return train.repeat().take(self.steps_per_epoch)

    def measure(self, train=None, validation_data=None, metrics=(), start_from=None, folder=None, seconds=5.0):
        """Times some steps of a separate model and, if there are `minutes`, sets `steps` and `epochs` to what fits.

        Args:
            train: As for `epoch`. Defaults to None, noise.
            validation_data: As in `fit`. Defaults to None.
            metrics: As for `build`. Defaults to none.
            start_from: As for `build`, but a copy, since measuring trains it. Defaults to None.
            folder: Path of a folder that only the measurement uses: callbacks write into it as in the run. Defaults to
                None, no callbacks.
            seconds: Float > 0, how long to time steps. Defaults to `5.0`.

        Returns:
            `keras_gan.pace.Pace`. Without `minutes` the steps stay as they are.

        Raises:
            ValueError: If `folder` is a URL, such as `gs://...`, or `seconds` is not positive.
        """
        folder = None if folder is None else check_path("folder", folder)
        if train is None:
            train = self._noise()
        watched = {"best": bool(metrics), "validation_data": validation_data}
        for _ in range(2):
            variant, model = self._variant, self.build(metrics, start_from)
            # Leaves out the backup callback: `pace.measure` calls `fit` twice, and the second call would resume from
            # the backup.
            following = [] if folder is None else self.callbacks(folder, **watched)[1:]
            found = pace.measure(model, train, validation_data, following, seconds)
            if self.minutes is not None:
                self.fit_into(self.minutes, found)
            if self._variant == variant:
                break
        return found

    def fit_into(self, minutes, pace):
        """Sets `steps` and `epochs` to what fits into a time.

        Args:
            minutes: Float, for training alone. However short it is, `steps` is at least 1.
            pace: `keras_gan.pace.Pace`.
        """
        most = math.floor(_LOOKING * 60 * minutes / max(pace.epoch_end, 1e-3))
        epochs = max(1, min(_MOST_EPOCHS, most))
        steps = pace.steps_within(60 * minutes, epochs)
        self._divide(steps, max(1, min(epochs, steps // _FEWEST_STEPS)))

    def callbacks(self, run_dir, best=True, force=False, validation_data=None):
        """Makes the callbacks of a run, those of `keras_gan.callbacks.for_run`. Backups stay when training ends.

        Args:
            run_dir: Path of the run's folder.
            best: Bool, whether evaluations measure a kernel distance. If True, `gan.keras` is the model of the epoch
                with the lowest one, else that of the last epoch. Defaults to True.
            force: As in `keras_gan.callbacks.BackupAndRestore`. Defaults to False.
            validation_data: As in `fit`. For pairs or two sets, its first images are drawn; without it there are no
                pictures. GANs draw from latents and need none. Defaults to None.

        Returns:
            List of `keras.callbacks.Callback`.

        Raises:
            ValueError: If `run_dir` is a URL, such as `gs://...`.
        """
        monitor = self.monitor if best else None
        return callbacks.for_run(run_dir, monitor, self._grid(validation_data), force, delete_checkpoint=False)

    def __str__(self):
        rows = [(name, value, reason) for name, value, reason in self.reasons()]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        return "\n".join(f"{name:{widths[0]}}  {value:{widths[1]}}  {reason}" for name, value, reason in rows)

    def reasons(self):
        """Lists the choices.

        Returns:
            List of `(name, value, reason)`, strings. If a choice differs from the default for these data, the reason is
            `"your choice"`.
        """
        defaults = {name: value for name, value, _ in self._default()._choices()}
        choices = [
            # Another architecture has choices that the default one lacks.
            (name, value, reason if value == defaults.get(name, value) else "your choice")
            for name, value, reason in self._choices()
        ]
        epochs = f"{self.epochs} epoch{'s' * (self.epochs > 1)}"
        return [self._data(), *choices, ("steps", f"{self.steps:,}", f"in {epochs} of {self.steps_per_epoch:,}")]

    def _default(self):
        """Makes the settings that are chosen for these data."""
        raise NotImplementedError

    def _data(self):
        """Returns `(name, value, remark)` of what there is to train on, strings."""
        raise NotImplementedError

    def _choices(self):
        """Lists choices with the reasons for their defaults, as `reasons` does."""
        raise NotImplementedError

    def _varied(self, kind):
        """Lists the choices that vary examples at random; `kind` is a plural noun for them, such as `"images"`."""
        flip = f"doubles the {kind}; right for photographs and drawings"
        return [
            ("flip", yes(self.flip), flip if self.flip else "mirrored letters would be wrong"),
            ("crop", f"{self.crop}", "random windows of enlarged images" if self.crop else "whole images"),
        ]

    @property
    def _seen(self):
        return self.steps * self.batch_size / self.count

    @property
    def _passes(self):
        return f"seen {self._seen:.3g} times"


def check_architecture(architecture, known):
    """Raises a ValueError unless an architecture is one of those that settings know."""
    if architecture not in known:
        raise ValueError(f"architecture must be one of {known}. Received: {architecture!r}.")


def check_size(name, shape):
    """Raises a ValueError unless a patch discriminator accepts images of such a shape."""
    if any(n % 4 or n < _SMALLEST for n in shape[:2]):
        raise ValueError(
            f"{name} must have height and width divisible by 4, and at least {_SMALLEST}. Received: {shape}."
        )


def noise(shape, count, condition=None, seed=0):
    """Makes a `tf.data.Dataset` of one batch of noise in place of images, with labels where there is a condition."""
    import tensorflow as tf

    x = np.random.default_rng(seed).random((count, *shape), "float32") * 2 - 1
    if condition is None:
        return tf.data.Dataset.from_tensors(x)
    return tf.data.Dataset.from_tensors((x, np.arange(count, dtype="int32") % condition.num_classes))


def noise_of_two(shape, other, count):
    """Makes a `tf.data.Dataset` of one batch of noise in place of images of two shapes."""
    import tensorflow as tf

    return tf.data.Dataset.zip((noise(shape, count), noise(other, count, seed=1)))


def grid_of_two(data):
    """Returns the arguments of a `SampleGrid` that draws the first examples of data, a dict; None if `data` is None."""
    return None if data is None else {"n": _DRAWN_PAIRS, "data": data}


def yes(choice):
    """Returns "yes" or "no"."""
    return "yes" if choice else "no"
