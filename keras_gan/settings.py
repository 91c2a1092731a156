"""Settings: what to train for so many images of one size, for pairs or for two sets of them, and why."""

import dataclasses
import math
from pathlib import Path

import keras
import numpy as np

from keras_gan import architectures, augmentation, callbacks, checks, defaults, losses, pace, penalties
from keras_gan.architectures.shapes import check_data_shape
from keras_gan.checks.values import check_integer, check_number
from keras_gan.conditions import Condition
from keras_gan.cyclegan import CycleGAN
from keras_gan.gan import GAN
from keras_gan.schedules import ConstantThenLinear
from keras_gan.translation import Pix2Pix, default_metrics

__all__ = ["ImageSettings", "PairSettings", "UnpairedSettings", "for_images", "for_pairs", "for_unpaired"]


def __dir__():
    return __all__


_ARCHITECTURES = ("dcgan", "modern", "resnet")
# How often a run is looked at, at most, and the share of its time that looking may take.
_MOST_EPOCHS, _LOOKING = 40, 0.1
# Steps of an epoch, at least: fewer say little of where training goes.
_FEWEST_STEPS = 50
_DRAWN_PAIRS = 16
_GENERATORS_OF_PAIRS = ("unet", "super_resolution")
# How many times as large targets are that `super_resolution_generator` makes.
_ENLARGED = (2, 4)
# Beyond this side the networks of pairs have the paper's width.
_LARGE = 128
# The smallest side that a discriminator of patches judges.
_SMALLEST = 16


@dataclasses.dataclass(kw_only=True)
class _Settings:
    """What settings of all kinds have: their attributes are described there.

    A subclass adds choices of its own, and says what they build and why.
    """

    # By which the best epoch is chosen.
    monitor = "val_kernel_distance"

    count: int
    minutes: float | None = None
    width: int = 16
    batch_size: int = 16
    learning_rate: float = defaults.LEARNING_RATE
    loss: object = "non_saturating"
    flip: bool = True
    ema: float = defaults.EMA
    seed: int | None = None
    steps: int | None = None
    epochs: int | None = None

    def __post_init__(self):
        for name in ("count", "width", "batch_size"):
            setattr(self, name, check_integer(name, getattr(self, name)))
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
        """Sets the steps, a little fewer so that all epochs have as many."""
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
            **changes: Attributes to change. Where the steps change and the epochs are not given, these follow.

        Raises:
            ValueError: If there is no such choice, or a value is out of range.
        """
        known = {field.name for field in dataclasses.fields(self) if field.init}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise ValueError(f"replace takes {', '.join(sorted(known))}. Received: {', '.join(unknown)}.")
        if changes.keys() & {"steps", "batch_size", "count", "count_a", "count_b"}:
            changes = {"epochs": None, **changes}
        return dataclasses.replace(self, **changes)

    def build(self, metrics=(), start_from=None):
        """Builds the model and compiles it.

        Args:
            metrics: List of metrics from `keras_gan.metrics`, for evaluations. Defaults to none. Pairs are always
                measured by their mean absolute error, PSNR and SSIM besides.
            start_from: Model of such images, pairs or sets to train on: its networks and all their weights stay,
                and `width`, `ema`, `seed` and what else the networks are built by are its own. Defaults to None, new
                networks.

        Returns:
            Compiled `keras_gan.GAN`, `keras_gan.Pix2Pix` for pairs, or `keras_gan.CycleGAN` for two sets.

        Raises:
            ValueError: If `start_from` makes other images, or of something else.
        """
        model = self._networks() if start_from is None else self._check_start(start_from)
        self._compile(model, metrics)
        return model

    def _optimizers(self, beta_1, alpha):
        """Makes the optimizers of both players; `alpha` is the share of their rate that is left at the end."""
        rate = ConstantThenLinear(self.learning_rate, self.steps, alpha=alpha)
        players = "generator_optimizer", "discriminator_optimizer"
        return {name: keras.optimizers.Adam(rate, beta_1=beta_1) for name in players}

    def _networks(self):
        """Builds the model."""
        raise NotImplementedError

    def _compile(self, model, metrics):
        raise NotImplementedError

    def _check_start(self, model):
        """Returns the model to start from, or raises a ValueError."""
        raise NotImplementedError

    def _grid(self, run_dir, validation_data):
        """Makes the callbacks that draw, a list."""
        raise NotImplementedError

    def _noise(self):
        """Makes one batch of noise in place of examples, a `tf.data.Dataset`."""
        raise NotImplementedError

    def epoch(self, train):
        """Makes the data of one epoch: `steps_per_epoch` batches.

        Args:
            train: `tf.data.Dataset`, what `keras_gan.datasets.load`, `load_pairs` or `load_unpaired` gave for
                `batch_size` and `flip`.

        Returns:
            `tf.data.Dataset` of known length.
        """
        return train.repeat().take(self.steps_per_epoch)

    def measure(self, train=None, validation_data=None, metrics=(), start_from=None, folder=None, seconds=5.0):
        """Times some steps of a model made for this alone, and sets `steps` and `epochs` to what fits into `minutes`.

        Args:
            train: As for `epoch`. Defaults to None, noise.
            validation_data: As in `fit`. Defaults to None.
            metrics: As for `build`. Defaults to none.
            start_from: As for `build`: a model of its own, since it is trained. Defaults to None.
            folder: Path of a folder for this alone, in which callbacks write as they will. Defaults to None, no
                callbacks.
            seconds: Float > 0, how long to time steps. Defaults to `5.0`.

        Returns:
            `keras_gan.pace.Pace`. Without `minutes` the steps stay as they are.
        """
        if train is None:
            train = self._noise()
        model = self.build(metrics, start_from)
        # Without the backup, from which the second of its trainings would go on.
        following = [] if folder is None else self.callbacks(folder, bool(metrics), validation_data=validation_data)[1:]
        found = pace.measure(model, train, validation_data, following, seconds)
        if self.minutes is not None:
            self.fit_into(self.minutes, found)
        return found

    def fit_into(self, minutes, pace):
        """Sets `steps` and `epochs` to what fits into a time.

        Args:
            minutes: Float, for training alone. Whatever it is, one step fits.
            pace: `keras_gan.pace.Pace`.
        """
        most = math.floor(_LOOKING * 60 * minutes / max(pace.epoch_end, 1e-3))
        epochs = max(1, min(_MOST_EPOCHS, most))
        steps = pace.steps_within(60 * minutes, epochs)
        self._divide(steps, max(1, min(epochs, steps // _FEWEST_STEPS)))

    def callbacks(self, run_dir, best=True, force=False, validation_data=None):
        """Makes the callbacks of a run.

        Args:
            run_dir: Path of the run's folder.
            best: Bool, whether evaluations measure a kernel distance, by which `gan.keras` is the best epoch's model.
                Else it is the last one's. Defaults to True.
            force: As in `keras_gan.callbacks.BackupAndRestore`. Defaults to False.
            validation_data: As in `fit`; its first pairs are drawn, and without it there are no pictures of pairs. GANs
                draw from latents and need none. Defaults to None.

        Returns:
            List of `keras.callbacks.Callback`: a backup in `backup/`, logs for TensorBoard, `metrics.jsonl`, pictures
            in `samples/`, alarms, and `gan.keras`.
        """
        run_dir = Path(run_dir)
        kept = {"monitor": self.monitor, "mode": "min", "save_best_only": True} if best else {}
        return [
            callbacks.BackupAndRestore(run_dir / "backup", delete_checkpoint=False, force=force),
            keras.callbacks.TensorBoard(run_dir),
            callbacks.MetricsLog(run_dir / "metrics.jsonl"),
            *self._grid(run_dir, validation_data),
            callbacks.TrainingHealth(run_dir),
            keras.callbacks.ModelCheckpoint(run_dir / "gan.keras", **kept),
        ]

    def __str__(self):
        rows = [(name, value, reason) for name, value, reason in self.reasons()]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        return "\n".join(f"{name:{widths[0]}}  {value:{widths[1]}}  {reason}" for name, value, reason in rows)

    def reasons(self):
        """Lists the choices.

        Returns:
            List of `(name, value, reason)`, strings.
        """
        raise NotImplementedError

    @property
    def _passes(self):
        return f"each is seen {self.steps * self.batch_size / self.count:.3g} times"

    @property
    def _division(self):
        return "steps", f"{self.steps:,}", f"in {self.epochs} epochs of {self.steps_per_epoch:,}"


@dataclasses.dataclass(kw_only=True)
class ImageSettings(_Settings):
    """Settings for images: what to train, each choice with its reason; `for_images` makes them.

    `print` shows the choices and their reasons.

    Attributes:
        shape: Tuple `(height, width, channels)`.
        count: Int, how many images there are to train on.
        minutes: Float, what training may take, or None.
        condition: `keras_gan.conditions.Condition`, or None.
        architecture: `"dcgan"`, `"modern"` or `"resnet"`, a pair from `keras_gan.architectures`.
        width: Int, the `width` of the discriminator.
        generator_width: Int, that of the generator. None is twice `width`.
        latent_dim: Int, the size of the latent.
        batch_size: Int, images for each step.
        learning_rate: Float, of both players, while it is constant.
        loss: Name or object from `keras_gan.losses`.
        r1: Float, the weight of the penalty `R1`; 0 for none.
        simultaneous: Bool, whether both players are updated at once, on the same fakes.
        augment: Bool, whether the discriminator sees both kinds through `DiffAugment`.
        flip: Bool, whether images are mirrored at random.
        ema: Float, the momentum of the average of the generator's weights.
        seed: Int, or None.
        steps: Int, how many steps training has.
        epochs: Int, into how many parts of equal length the steps are divided: after each the GAN is evaluated, drawn
            from and kept.
    """

    shape: tuple
    condition: Condition | None = None
    architecture: str = "dcgan"
    generator_width: int | None = None
    latent_dim: int = 64
    r1: float = defaults.GAMMA
    simultaneous: bool = True
    augment: bool = True

    def __post_init__(self):
        if self.architecture not in _ARCHITECTURES:
            raise ValueError(f"architecture must be one of {_ARCHITECTURES}. Received: {self.architecture!r}.")
        self.latent_dim = check_integer("latent_dim", self.latent_dim)
        if self.generator_width is not None:
            self.generator_width = check_integer("generator_width", self.generator_width)
        self.r1 = check_number("r1", self.r1, 0)
        super().__post_init__()

    @property
    def _generator_width(self):
        # A step runs through the discriminator more often.
        return 2 * self.width if self.generator_width is None else self.generator_width

    def _networks(self):
        generator = getattr(architectures, f"{self.architecture}_generator")
        discriminator = getattr(architectures, f"{self.architecture}_discriminator")
        return GAN(
            generator(self.shape, self.latent_dim, width=self._generator_width, condition=self.condition),
            discriminator(self.shape, width=self.width, condition=self.condition),
            ema=self.ema,
            seed=self.seed,
        )

    def _compile(self, model, metrics):
        model.compile(
            **self._optimizers(defaults.BETA_1, alpha=0.02),
            loss=self.loss,
            penalties=[penalties.R1(self.r1)] if self.r1 else [],
            augmentation=augmentation.DiffAugment() if self.augment else None,
            simultaneous=self.simultaneous,
            metrics=metrics,
        )

    def _check_start(self, model):
        if model.data_shape != self.shape:
            raise ValueError(f"start_from must make images of {self.shape}. Received: one of {model.data_shape}.")
        classes = [getattr(c, "num_classes", None) for c in (model.condition, self.condition)]
        if classes[0] != classes[1] or model.condition.given_name not in (None, "labels"):
            raise ValueError(f"start_from must have the condition {self.condition!r}. Received: {model.condition!r}.")
        return model

    def _grid(self, run_dir, validation_data):
        return [callbacks.SampleGrid(run_dir)]

    def _noise(self):
        return noise(self.shape, self.batch_size, self.condition)

    def reasons(self):
        height, width, channels = self.shape
        augment = "few images are not learned by heart" if self.augment else "digits became worse by it"
        return [
            ("images", f"{self.count:,} of {height}x{width}x{channels}", self._passes),
            (
                "networks",
                f"{self.architecture}, width {self._generator_width} and {self.width}",
                "narrow: more steps fit into a time",
            ),
            (
                "simultaneous",
                _yes(self.simultaneous),
                "a step takes less time" if self.simultaneous else "digits became worse by it",
            ),
            ("latent_dim", f"{self.latent_dim}", "sizes from 8 to 128 differ little"),
            ("batch_size", f"{self.batch_size}", "small: more steps fit into a time"),
            ("learning_rate", f"{self.learning_rate:g}", "high; falls over the second half"),
            ("loss", str(self.loss), "learns where the discriminator is sure"),
            ("r1", f"{self.r1:g}", "keeps the discriminator smooth"),
            ("augment", _yes(self.augment), augment),
            ("flip", _yes(self.flip), "doubles the images" if self.flip else "mirrored, letters would be wrong"),
            ("ema", f"{self.ema:g}", "the average of the last weights draws better"),
            self._division,
        ]


@dataclasses.dataclass(kw_only=True)
class PairSettings(_Settings):
    """Settings for pairs of images: what to train, each choice with its reason; `for_pairs` makes them.

    `print` shows the choices and their reasons.

    Attributes:
        source_shape: Tuple `(height, width, channels)`.
        target_shape: Tuple, the same of a target.
        count: Int, how many pairs there are to train on.
        minutes: Float, what training may take, or None.
        architecture: `"unet"` or `"super_resolution"`, which generator from `keras_gan.architectures`.
        width: Int, the `width` of the generator and of the patch discriminator.
        dropout: Float, the share of activations that the U-Net drops; the other generator drops none.
        batch_size: Int, pairs for each step.
        learning_rate: Float, of both players, while it is constant.
        loss: Name or object from `keras_gan.losses`.
        reconstruction: Name or object of a loss of Keras, how far an output is from its target.
        reconstruction_weight: Float, its weight beside the adversarial loss.
        flip: Bool, whether pairs are mirrored at random, both images alike.
        ema: Float, the momentum of the average of the generator's weights.
        seed: Int, or None.
        steps: Int, how many steps training has.
        epochs: Int, into how many parts of equal length the steps are divided: after each the model is evaluated, drawn
            from and kept.
    """

    source_shape: tuple
    target_shape: tuple
    architecture: str = "unet"
    width: int = 32
    dropout: float = 0.0
    learning_rate: float = 1e-3
    reconstruction: object = "mae"
    reconstruction_weight: float = 100.0

    def __post_init__(self):
        if self.architecture not in _GENERATORS_OF_PAIRS:
            raise ValueError(f"architecture must be one of {_GENERATORS_OF_PAIRS}. Received: {self.architecture!r}.")
        self.dropout = check_number("dropout", self.dropout, 0, 1, open_high=True)
        self.reconstruction_weight = check_number("reconstruction_weight", self.reconstruction_weight, 0)
        if self.architecture == "super_resolution":
            self._check_enlarges()
        super().__post_init__()

    @property
    def _scale(self):
        return self.target_shape[0] // self.source_shape[0]

    def _check_enlarges(self):
        if not _is_enlarged(self.source_shape, self.target_shape):
            raise ValueError(
                "architecture must be 'unet' but for targets 2 or 4 times as large as their sources, with as many "
                f"channels. Received: 'super_resolution', {self.source_shape} to {self.target_shape}."
            )
        if self.dropout:
            raise ValueError(
                f"dropout must be 0 with architecture='super_resolution', which drops nothing. Received: "
                f"{self.dropout:g}. Choose architecture='unet'."
            )

    def _networks(self):
        (height, width, channels), scale = self.target_shape, self._scale
        judged = height, width, self.source_shape[2] + channels
        if self.architecture == "super_resolution":
            generator = architectures.super_resolution_generator(self.source_shape, scale, self.width)
        else:
            generator = architectures.unet_generator(self.source_shape, channels, self.width, self.dropout, scale)
        discriminator = architectures.patch_discriminator(judged, self.width)
        return Pix2Pix(generator, discriminator, ema=self.ema, seed=self.seed)

    def _compile(self, model, metrics):
        model.compile(
            # The paper's.
            **self._optimizers(beta_1=0.5, alpha=0.0),
            loss=self.loss,
            reconstruction=self.reconstruction,
            reconstruction_weight=self.reconstruction_weight,
            metrics=[*metrics, *default_metrics()],
        )

    def _check_start(self, model):
        received, expected = (model.source_shape, model.data_shape), (self.source_shape, self.target_shape)
        if received != expected:
            raise ValueError(
                f"start_from must make images of {expected[1]} from {expected[0]}. Received: one that makes "
                f"{received[1]} from {received[0]}."
            )
        return model

    def _grid(self, run_dir, validation_data):
        return _grid_of_two(run_dir, validation_data)

    def _noise(self):
        return _noise_of_two(self.source_shape, self.target_shape, self.batch_size)

    def reasons(self):
        source, target = ("x".join(map(str, shape)) for shape in (self.source_shape, self.target_shape))
        flip = "doubles the pairs; right for photographs and drawings"
        if self.architecture == "super_resolution":
            networks = f"EDSR and patches, width {self.width}"
            generator = [("networks", networks, "super-resolution: adds details to the enlarged source")]
        else:
            generator = [
                ("networks", f"U-Net and patches, width {self.width}", "wider where images are larger"),
                ("dropout", f"{self.dropout:g}", "the same output for the same source"),
            ]
        return [
            ("pairs", f"{self.count:,} of {source} to {target}", self._passes),
            *generator,
            ("batch_size", f"{self.batch_size}", "small: more steps fit into a time"),
            ("learning_rate", f"{self.learning_rate:g}", "higher than the paper's; falls over the second half"),
            ("loss", str(self.loss), "learns where the discriminator is sure"),
            ("reconstruction", f"{self.reconstruction}, weight {self.reconstruction_weight:g}", "the paper's"),
            ("flip", _yes(self.flip), flip if self.flip else "mirrored, letters would be wrong"),
            ("ema", f"{self.ema:g}", "the average of the last weights draws better"),
            self._division,
        ]


@dataclasses.dataclass(kw_only=True)
class UnpairedSettings(_Settings):
    """Settings for two sets of images without pairs: what to train, and why; `for_unpaired` makes them.

    `print` shows the choices and their reasons.

    Attributes:
        shape_a: Tuple `(height, width, channels)` of an image of A.
        shape_b: Tuple, the same of B.
        count_a: Int, how many images of A there are to train on.
        count_b: Int, how many of B.
        count: Int, how many there are of the larger set.
        minutes: Float, what training may take, or None.
        width: Int, the `width` of the residual generators and of the patch discriminators.
        blocks: Int, how many residual blocks each generator has.
        separable: Bool, whether their convolutions are separable, for phones.
        pool_size: Int, how many former outputs are kept for each discriminator.
        batch_size: Int, images of each set for each step.
        learning_rate: Float, of both kinds of networks, while it is constant.
        loss: Name or object from `keras_gan.losses`.
        cycle_weight: Float, the weight of the cycle loss beside the adversarial loss.
        identity_weight: Float, that of the identity loss as a share of it; None for the default of `CycleGAN`.
        flip: Bool, whether images are mirrored at random.
        ema: Float, the momentum of the averages of the generators' weights.
        seed: Int, or None.
        steps: Int, how many steps training has.
        epochs: Int, into how many parts of equal length the steps are divided: after each the model is evaluated, drawn
            from and kept; the best one by the kernel distance of what becomes of A, if it is measured.
    """

    monitor = "val_kernel_distance_b"

    shape_a: tuple
    shape_b: tuple
    count_a: int
    count_b: int
    count: int = dataclasses.field(init=False, default=1)
    width: int = 24
    blocks: int = 4
    separable: bool = False
    pool_size: int = 50
    batch_size: int = 4
    loss: object = "least_squares"
    cycle_weight: float = 10.0
    identity_weight: float | None = None

    def __post_init__(self):
        for name, least in (("count_a", 1), ("count_b", 1), ("blocks", 1), ("pool_size", 0)):
            setattr(self, name, check_integer(name, getattr(self, name), least))
        self.cycle_weight = check_number("cycle_weight", self.cycle_weight, 0)
        if self.identity_weight is not None:
            self.identity_weight = check_number("identity_weight", self.identity_weight, 0)
        self.count = max(self.count_a, self.count_b)
        super().__post_init__()

    def _networks(self):
        (a, b), build = (self.shape_a, self.shape_b), architectures.residual_generator
        options = {"width": self.width, "blocks": self.blocks, "separable": self.separable}
        return CycleGAN(
            build(a, b[2], **options),
            build(b, a[2], **options),
            architectures.patch_discriminator(a, self.width),
            architectures.patch_discriminator(b, self.width),
            ema=self.ema,
            seed=self.seed,
            pool_size=self.pool_size,
        )

    def _compile(self, model, metrics):
        model.compile(
            # The paper's.
            **self._optimizers(beta_1=0.5, alpha=0.0),
            loss=self.loss,
            cycle_weight=self.cycle_weight,
            identity_weight=self.identity_weight,
            metrics=metrics,
        )

    def _check_start(self, model):
        received, expected = (model.shapes["a"], model.shapes["b"]), (self.shape_a, self.shape_b)
        if received != expected:
            raise ValueError(
                f"start_from must translate between images of {expected[0]} and {expected[1]}. Received: one of "
                f"{received[0]} and {received[1]}."
            )
        return model

    def _grid(self, run_dir, validation_data):
        return _grid_of_two(run_dir, validation_data)

    def _noise(self):
        return _noise_of_two(self.shape_a, self.shape_b, self.batch_size)

    @property
    def _identity(self):
        if self.identity_weight is None:
            return "0.5" if self.shape_a == self.shape_b else "none, channels differ"
        return f"{self.identity_weight:g}"

    def reasons(self):
        a, b = ("x".join(map(str, shape)) for shape in (self.shape_a, self.shape_b))
        flip = "doubles the images; right for photographs and drawings"
        kind = "separable, " if self.separable else ""
        return [
            ("images", f"{self.count_a:,} of {a}, {self.count_b:,} of {b}", f"of the larger set {self._passes}"),
            ("networks", f"{kind}{self.blocks} blocks and patches, width {self.width}", "narrow: more steps fit"),
            ("pool_size", f"{self.pool_size}", "the paper's"),
            ("batch_size", f"{self.batch_size}", "small: more steps fit into a time"),
            ("learning_rate", f"{self.learning_rate:g}", "higher than the paper's; falls over the second half"),
            ("loss", str(self.loss), "the paper's"),
            ("cycle_weight", f"{self.cycle_weight:g}", "the paper's"),
            ("identity_weight", self._identity, "keeps colors that need not change"),
            ("flip", _yes(self.flip), flip if self.flip else "mirrored, letters would be wrong"),
            ("ema", f"{self.ema:g}", "the average of the last weights draws better"),
            self._division,
        ]


def for_images(shape, count, minutes=None, condition=None):
    """Chooses what to train for images.

    The choices are those of trials on photographs of clothes, 64x64, of five minutes on one core (docs/settings.md);
    other sizes, hours of training and GPUs are beyond what was tried. Gray images are not mirrored, since they are
    writing more often than not, nor augmented, nor are both players updated at once: digits became worse by it.

    Args:
        shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        count: Int > 0, how many images there are to train on.
        minutes: Float > 0, what training may take: `measure` finds the steps. Defaults to None; each image is then
            seen a hundred times.
        condition: `keras_gan.conditions.Condition`, such as `Labels(10)`. Defaults to None.

    Returns:
        `ImageSettings`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    ```python
    settings = keras_gan.settings.for_images((28, 28, 1), count=4000, minutes=5)
    train = keras_gan.datasets.load("digits", settings.batch_size)
    settings.measure(train)
    print(settings)
    gan = settings.build()
    gan.fit(settings.epoch(train), epochs=settings.epochs, callbacks=settings.callbacks("runs/digits", best=False))
    ```
    """
    shape = check_data_shape("shape", shape, ranks=(3,))
    if shape[-1] < 3:
        # On the digits the distance fell from 32 to 18 without augmentation, and from 27 to 18 by these.
        choices = {"width": 20, "generator_width": 20, "simultaneous": False, "augment": False, "flip": False}
    else:
        choices = {}
    return ImageSettings(shape=shape, count=count, minutes=minutes, condition=condition, **choices)


def for_pairs(source_shape, target_shape, count, minutes=None):
    """Chooses what to train for pairs of images: sources, and what is to become of them.

    A U-Net and a discriminator of patches, as in pix2pix, with a quarter of the paper's weights up to 128 pixels. Where
    targets are 2 or 4 times as large as sources, with as many channels, the generator is that of super-resolution in
    the U-Net's place: it adds details to the enlarged source, which is most of the target already, and begins where
    enlargement alone ends; its rate is that of the trials. `replace(architecture="unet")` is for larger targets that
    look otherwise than their sources.

    Pairs are mirrored, both images alike, where both are in color: that is right for photographs and drawings, and
    wrong for letters, which are gray more often than not. Nothing else is changed at random: a source has one target.
    The values are those of trials on satellite images and relief, 64x64, at 40 minutes of one core, and of photographs
    enlarged to 64x64, at five (docs/settings.md); other sizes, hours and GPUs are beyond what was tried.

    Args:
        source_shape: Tuple `(height, width, channels)` with 1 to 4 channels.
        target_shape: Tuple, the same of a target, at least 16 pixels high and wide and divisible by 4: as large as a
            source, or larger by one whole factor.
        count: Int > 0, how many pairs there are to train on.
        minutes: Float > 0, what training may take: `measure` finds the steps. Defaults to None; each pair is then seen
            a hundred times.

    Returns:
        `PairSettings`.

    Raises:
        ValueError: If a number is out of range, or the shapes don't fit.

    Example:

    ```python
    drawings = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 1), "uint8")
    settings = keras_gan.settings.for_pairs((32, 32, 1), (32, 32, 1), count=40, minutes=5)
    train = keras_gan.datasets.load_pairs(drawings, 255 - drawings, batch_size=settings.batch_size, flip=settings.flip)
    settings.measure(train)
    print(settings)
    model = settings.build()
    model.fit(settings.epoch(train), epochs=settings.epochs, callbacks=settings.callbacks("runs/negatives", best=False))
    ```
    """
    source_shape = check_data_shape("source_shape", source_shape, ranks=(3,))
    target_shape = check_data_shape("target_shape", target_shape, ranks=(3,))
    scale = target_shape[0] // source_shape[0]
    if not scale or tuple(scale * n for n in source_shape[:2]) != target_shape[:2]:
        raise ValueError(
            f"target_shape must be as large as source_shape, {source_shape}, or larger by one whole factor. "
            f"Received: {target_shape}."
        )
    _check_size("target_shape", target_shape)
    # A rate of 1e-3 was not tried for it.
    enlarging = {"architecture": "super_resolution", "learning_rate": 5e-4}
    return PairSettings(
        source_shape=source_shape,
        target_shape=target_shape,
        count=count,
        minutes=minutes,
        width=64 if max(target_shape[:2]) > _LARGE else 32,
        flip=min(source_shape[2], target_shape[2]) >= 3,
        **(enlarging if _is_enlarged(source_shape, target_shape) else {}),
    )


def _is_enlarged(source_shape, target_shape):
    """Tells if targets may be sources, enlarged as `super_resolution_generator` does."""
    same = any(tuple(scale * n for n in source_shape[:2]) == target_shape[:2] for scale in _ENLARGED)
    return same and source_shape[2] == target_shape[2]


def for_unpaired(shape_a, shape_b, count_a, count_b, minutes=None):
    """Chooses what to train for two sets of images without pairs.

    Residual generators and discriminators of patches, as in CycleGAN, with less than a fifth of the paper's weights.
    Images are mirrored where those of both sets are in color: that is right for photographs and drawings, and wrong for
    letters, which are gray more often than not. The values are those of one trial on satellite images and relief,
    64x64, at an hour of one core (docs/settings.md); other sizes, hours and GPUs are beyond what was tried.

    Args:
        shape_a: Tuple `(height, width, channels)` of an image of A, with 1 to 4 channels, at least 16 pixels high and
            wide and divisible by 4.
        shape_b: Tuple, the same of B: of the same size, with any number of channels.
        count_a: Int > 0, how many images of A there are to train on.
        count_b: Int > 0, how many of B.
        minutes: Float > 0, what training may take: `measure` finds the steps. Defaults to None; each image of the
            larger set is then seen a hundred times.

    Returns:
        `UnpairedSettings`.

    Raises:
        ValueError: If a number is out of range, or the shapes don't fit.

    Example:

    ```python
    dark, bright = np.random.default_rng(0).integers(0, 128, (2, 40, 32, 32, 3), "uint8")
    settings = keras_gan.settings.for_unpaired((32, 32, 3), (32, 32, 3), count_a=40, count_b=40, minutes=5)
    train = keras_gan.datasets.load_unpaired(dark, bright + 127, batch_size=settings.batch_size, flip=settings.flip)
    settings.measure(train)
    print(settings)
    model = settings.build()
    model.fit(settings.epoch(train), epochs=settings.epochs, callbacks=settings.callbacks("runs/bright", best=False))
    ```
    """
    shape_a, shape_b = (
        check_data_shape(name, shape, ranks=(3,)) for name, shape in (("shape_a", shape_a), ("shape_b", shape_b))
    )
    if shape_a[:2] != shape_b[:2]:
        raise ValueError(f"shape_b must be of the size of shape_a, {shape_a}. Received: {shape_b}.")
    _check_size("shape_a", shape_a)
    return UnpairedSettings(
        shape_a=shape_a,
        shape_b=shape_b,
        count_a=count_a,
        count_b=count_b,
        minutes=minutes,
        flip=min(shape_a[2], shape_b[2]) >= 3,
    )


def _check_size(name, shape):
    if any(n % 4 or n < _SMALLEST for n in shape[:2]):
        raise ValueError(
            f"{name} must have height and width divisible by 4, and at least {_SMALLEST}. Received: {shape}."
        )


def noise(shape, count, condition=None):
    """Makes a `tf.data.Dataset` of one batch of noise in place of images, with labels where there is a condition."""
    import tensorflow as tf

    x = np.random.default_rng(0).random((count, *shape), "float32") * 2 - 1
    if condition is None:
        return tf.data.Dataset.from_tensors(x)
    return tf.data.Dataset.from_tensors((x, np.arange(count, dtype="int32") % condition.num_classes))


def _noise_of_two(shape, other, count):
    import tensorflow as tf

    return tf.data.Dataset.zip((noise(shape, count), noise(other, count)))


def _grid_of_two(run_dir, data):
    return [] if data is None else [callbacks.SampleGrid(run_dir, _DRAWN_PAIRS, data=data)]


def _yes(choice):
    return "yes" if choice else "no"
