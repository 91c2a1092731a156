"""The training of `keras-gan train`: its plan for the time limit, its dry run, and `fit`."""

import contextlib
import tempfile
import time
from datetime import datetime, timedelta

import keras

from keras_gan.callbacks import Progress, TrainingHealth
from keras_gan.cli.common import BEGUN, Result, count_parameters
from keras_gan.metrics import features

# The maximum share of the total time that may be spent on training the features.
_FEATURES = 0.1
# Seconds for which training steps are timed. With a time limit, it is at most one second per minute of the limit.
MEASURED = 5.0
# Limits on the number of training steps of the features: additional steps hardly improved them.
_FEWEST_FEATURE_STEPS, _MOST_FEATURE_STEPS = 20, 1000
# Estimate of the time after training, as a multiple of the time before the first step. Both include compilation, since
# the export also compiles.
_CLOSING = 2.0
# Figures in the line of an epoch, and their names there.
_SHOWN = {"val_kernel_distance": "distance", "val_precision": "precision", "val_recall": "recall"}
_SHOWN |= {"val_kernel_distance_b": "distance in B", "val_kernel_distance_a": "in A"}
_SHOWN |= {"val_cycle_loss_a": "back in A", "val_cycle_loss_b": "in B"}
_SHOWN |= {"val_mae": "MAE", "val_psnr": "PSNR", "val_ssim": "SSIM"}


class Training:
    """Data, settings and features of a run.

    Args:
        args: Namespace of `start_from`, `strategy`, `seed` and `skip_bad_images`.
        folder: `keras_gan.cli.run_folder.RunFolder`.
        task: Such as `keras_gan.cli.generating.Generation`.
        settings: `keras_gan.settings.ImageSettings`, or another of its kind.
        strategy: `tf.distribute.Strategy`, or None.

    Attributes:
        train: `tf.data.Dataset` to train on.
        settings: Those given, with the planned steps.
        features: Model that computes the features that metrics compare.
    """

    def __init__(self, args, folder, task, settings, strategy):
        self._args, self._folder, self._task, self._strategy = args, folder, task, strategy
        self._source = task.source
        self.settings = settings
        # Raises errors for settings that don't fit together, before images are read.
        with self._scope():
            self.settings.build(start_from=self._start())
        _check_readable(args, self._source)
        self.train = self._source.load(self.settings.batch_size, flip=self.settings.flip, crop=self.settings.crop)
        self._source.check()

    @property
    def is_chief(self):
        return self._strategy is None or self._strategy.extended.should_checkpoint

    def plan(self):
        """Trains the features and finds the number of steps. Records the number of training steps of the features and
        that of the run, unless the folder of a resumed run already has them."""
        print(f"{'Resuming' if self._folder.has_backup else 'Writing'} in {self._folder.path}. To resume after")
        print(f"an interruption, give the same command with --run-dir {self._folder.path}.", flush=True)
        self._note(images=self._source.facts())
        self._note(begun=self._folder.options.get("begun", f"{datetime.now():%Y-%m-%d %H:%M}"))
        options = self._folder.options
        plain = self._source.plain
        if "feature_steps" not in options:
            self._note(feature_steps=_feature_steps(self.settings, self._source.shape))
        self.features = features.self_supervised(plain, steps=options["feature_steps"])
        if "steps" not in options and self._args.strategy == "multiworker":
            # Workers that measure their own speed would choose different numbers of steps.
            self._note(steps=self.settings.steps, epochs=self.settings.epochs)
            print(f"\n{self.settings}\n", flush=True)
        elif "steps" not in options:
            self._measure()
        self.settings = self.settings.replace(steps=options["steps"], epochs=options["epochs"])

    def _note(self, **facts):
        if self.is_chief:
            self._folder.note(**facts)
        else:
            self._folder.options.update(facts)

    def _measure(self):
        """Finds the number of steps that fits into the time, and prints how long everything will take."""
        print("Measuring how fast this machine is", flush=True)
        settings = self.settings
        with self._scope():
            pace = _pace(settings, self.train, self._source.held_out, self._task.metrics(self.features), self._start())
        closing = _CLOSING * pace.start
        if settings.minutes is not None:
            settings.fit_into(max(settings.minutes - (_gone() + closing) / 60, 0), pace)
        self._note(steps=settings.steps, epochs=settings.epochs)
        print(f"\n{settings}\n\n{_expected(settings, pace, closing, _gone())}\n", flush=True)

    def fit(self):
        """Trains the model; returns it, and the alarms, a list of strings."""
        folder = self._folder.path
        # Clears the state that the speed measurement left. A resumed run does not measure its speed, and must still
        # train identically.
        keras.backend.clear_session()
        keras.utils.set_random_seed(self._args.seed)
        with self._scope():
            gan = self.settings.build(self._task.metrics(self.features), self._start())
        print(", ".join(f"{name} with {count:,} parameters" for name, count in count_parameters(gan).items()))
        following = [*self.settings.callbacks(folder, validation_data=self._source.held_out), Progress(_SHOWN)]
        gan.fit(
            self.settings.epoch(self.train),
            epochs=self.settings.epochs,
            validation_data=self._source.held_out,
            callbacks=following,
        )
        alarms = [text for _, _, text in next(c.alarms for c in following if isinstance(c, TrainingHealth))]
        if self.is_chief and not (folder / "gan.keras").exists():
            raise ValueError(
                f"Training failed before a model was saved. {' '.join(alarms)} Give a lower --learning-rate."
            )
        return gan, alarms

    def _scope(self):
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()

    def _start(self):
        return None if self._args.start_from is None else self._task.start(self._args.start_from)


def _pace(settings, *data):
    """Measures the speed of training and of all work at the end of an epoch; removes the files that this writes."""
    with tempfile.TemporaryDirectory() as scratch:
        return settings.measure(*data, folder=scratch, seconds=min(MEASURED, settings.minutes or MEASURED))


def rehearse(args, task, settings):
    """Measures on noise how long a run takes, prints it, and writes nothing.

    Args:
        args: Namespace of `skip_bad_images`.
        task: Such as `keras_gan.cli.generating.Generation`.
        settings: Those of the run.

    Returns:
        `Result`.
    """
    source = task.source
    print("Measuring how fast this machine is, on noise", flush=True)
    pace = _pace(settings, None, *task.rehearse())
    # The time of everything except the training steps. It does not include the time to read the images, since a dry run
    # does not read them.
    rest = _learning(settings, source.shape) + _CLOSING * pace.start
    if settings.minutes is not None:
        settings.fit_into(max(settings.minutes - (_gone() + rest) / 60, 0), pace)
    expected = _expected(settings, pace, rest, 0)
    print(f"\n{settings}\n\n{expected}")
    _check_readable(args, source)
    values = {"source": source.title, "count": source.count, "steps": settings.steps}
    return Result(values, "Only headers were read, and nothing was written.")


def _feature_steps(settings, shape):
    if settings.minutes is None:
        return max(_FEWEST_FEATURE_STEPS, min(_MOST_FEATURE_STEPS, settings.steps // 4))
    return min(_MOST_FEATURE_STEPS, features.steps_within(_FEATURES * 60 * settings.minutes, shape))


def _learning(settings, shape):
    """Measures how many seconds the training of the features will take."""
    step = 60 / features.steps_within(60, shape)
    if settings.minutes is None:
        return step * _feature_steps(settings, shape)
    return min(_FEATURES * 60 * settings.minutes, step * _MOST_FEATURE_STEPS)


def _expected(settings, pace, rest, gone):
    minutes = (gone + pace.seconds(settings.steps, settings.epochs) + rest) / 60
    end = datetime.now() + timedelta(minutes=minutes - gone / 60)
    steps = f"A step takes {1000 * pace.step:.3g} ms: {settings.steps:,} steps and everything else"
    text = f"{steps}\ntake about {minutes:.3g} minutes, until {end:%H:%M}."
    if settings.steps * settings.batch_size < settings.count:
        text += (
            "\nThat is less than one pass through the data, too little\nto learn from: give more --minutes or --steps."
        )
    return text


def _gone():
    return time.monotonic() - BEGUN


def _check_readable(args, source):
    """Raises a ValueError for examples that can't be read, held-out ones included, before anything is written."""
    if source.refused and not args.skip_bad_images:
        raise ValueError(source.refused)
