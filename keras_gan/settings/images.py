"""Settings for images."""

import dataclasses
import math
import typing

from keras_gan import architectures, augmentation, defaults, penalties
from keras_gan.architectures.shapes import check_data_shape
from keras_gan.checks.values import check_integer, check_number
from keras_gan.conditions import Condition
from keras_gan.gan import GAN
from keras_gan.settings.base import Settings, check_architecture, noise, yes

_ARCHITECTURES = ("dcgan", "modern", "resnet")
# Images that are seen more often than this are memorized without augmentation (docs/settings.md).
_SEEN = 100


@dataclasses.dataclass(kw_only=True)
class ImageSettings(Settings):
    """Settings for images, each choice with its reason; `for_images` makes them.

    `print` shows the choices and their reasons.

    Attributes:
        shape: Tuple `(height, width, channels)`.
        count: Int, how many images there are to train on.
        minutes: Float, the time limit for training in minutes, or None.
        condition: `keras_gan.conditions.Condition`, or None.
        architecture: `"dcgan"`, `"modern"` or `"resnet"`, a pair of networks from `keras_gan.architectures`.
        width: Int, the `width` of the discriminator.
        generator_width: Int, the `width` of the generator. Follows from `width` unless it is given: twice as much for
            images in color.
        latent_dim: Int, the size of the latent.
        batch_size: Int, images for each step.
        learning_rate: Float, the rate of both players in the first half of the steps; it falls over the second half.
        loss: Name or object from `keras_gan.losses`.
        r1: Float, the weight of the penalty `R1`; 0 for none.
        simultaneous: Bool, whether both players are updated simultaneously, on the same fakes.
        augment: Bool, whether the reals and fakes that the discriminator sees are augmented by `DiffAugment`. None, the
            default for images in color: True if each image is seen more than a hundred times.
        flip: Bool, whether images are mirrored at random.
        crop: Int >= 0: images are read this many pixels higher and wider, and windows cropped from them at random.
        ema: Float, the momentum of the average of the generator's weights.
        seed: Int, or None.
        steps: Int, how many steps training has.
        epochs: Int, how many parts of equal length the steps are divided into. After each part, the GAN is evaluated,
            samples are drawn, and the GAN is saved.

    Example:

    ```python
    settings = keras_gan.settings.for_images((64, 64, 3), count=4800)
    settings.steps, settings.steps_per_epoch  # (30000, 750)
    settings = settings.replace(width=32, steps=2000)
    settings.generator_width, settings.steps_per_epoch  # (64, 50)
    print(settings)  # the networks are "your choice"
    ```
    """

    _following: typing.ClassVar = {**Settings._following, "generator_width": {"width"}}

    _kind = GAN

    shape: tuple
    condition: Condition | None = None
    architecture: str = "dcgan"
    generator_width: int | None = None
    latent_dim: int = 64
    r1: float = defaults.GAMMA
    simultaneous: bool = True
    augment: bool | None = None

    def __post_init__(self):
        check_architecture(self.architecture, _ARCHITECTURES)
        self.latent_dim = check_integer("latent_dim", self.latent_dim)
        self.r1 = check_number("r1", self.r1, 0)
        super().__post_init__()
        if self.generator_width is None:
            # The generator can be wider, since a step runs through the discriminator more often.
            self.generator_width = self.width if _is_gray(self.shape) else 2 * self.width
        self.generator_width = check_integer("generator_width", self.generator_width)

    @property
    def _variant(self):
        return self._seen > _SEEN if self.augment is None else self.augment

    def _networks(self):
        generator = getattr(architectures, f"{self.architecture}_generator")
        discriminator = getattr(architectures, f"{self.architecture}_discriminator")
        return GAN(
            generator(self.shape, self.latent_dim, width=self.generator_width, condition=self.condition),
            discriminator(self.shape, width=self.width, condition=self.condition),
            ema=self.ema,
            seed=self.seed,
        )

    def _compile(self, model, metrics):
        model.compile(
            **self._optimizers(defaults.BETA_1, alpha=0.02),
            loss=self.loss,
            penalties=[penalties.R1(self.r1)] if self.r1 else [],
            augmentation=augmentation.DiffAugment() if self._variant else None,
            simultaneous=self.simultaneous,
            metrics=metrics,
        )

    def _check_start(self, model):
        if model.data_shape != self.shape:
            raise ValueError(f"start_from must make images of {self.shape}. Received: a model of {model.data_shape}.")
        classes = [getattr(c, "num_classes", None) for c in (model.condition, self.condition)]
        if classes[0] != classes[1] or model.condition.given_name not in (None, "labels"):
            raise ValueError(f"start_from must have the condition {self.condition!r}. Received: {model.condition!r}.")
        return model

    def _grid(self, validation_data):
        return {}

    def _noise(self):
        return noise(self.shape, self.batch_size, self.condition)

    def _default(self):
        default = for_images(self.shape, self.count)
        # Each image is seen equally often.
        return default.replace(steps=math.ceil(self.steps * self.batch_size / default.batch_size))

    def _data(self):
        return "images", f"{self.count:,} of {'x'.join(map(str, self.shape))}", f"each is {self._passes}"

    def _choices(self):
        worse = "made digits worse in trials"
        plain = worse if _is_gray(self.shape) else "seen too seldom to be memorized"
        return [
            (
                "networks",
                f"{self.architecture}, width {self.generator_width} and {self.width}",
                "narrow: more steps fit into the time",
            ),
            ("simultaneous", yes(self.simultaneous), "a step takes less time" if self.simultaneous else worse),
            ("latent_dim", f"{self.latent_dim}", "sizes from 8 to 128 differ little"),
            ("batch_size", f"{self.batch_size}", "small: more steps fit into the time"),
            ("learning_rate", f"{self.learning_rate:g}", "high; falls over the second half"),
            ("loss", str(self.loss), "the generator learns even while it loses"),
            ("r1", f"{self.r1:g}", "keeps the discriminator smooth"),
            ("augment", yes(self._variant), "seen often, images would be memorized" if self._variant else plain),
            *self._varied("images"),
            ("ema", f"{self.ema:g}", "averages of the last weights give better samples"),
        ]


def for_images(shape, count, minutes=None, condition=None):
    """Chooses the networks and training settings for images.

    The choices come from trials on photographs of clothes, 64x64, with 5 and 15 CPU minutes (docs/settings.md). GANs
    with these choices were also trained for two hours, with classes, and on emoji and satellite images of this size.
    Other sizes and GPUs were not tried. Gray images are not mirrored, since most of them show writing. Augmentation and
    simultaneous updates made digits worse, so gray images have neither. Images in color are augmented if each is seen
    more than a hundred times.

    Args:
        shape: Tuple `(height, width, channels)`; height and width divisible by 4.
        count: Int > 0, how many images there are to train on.
        minutes: Float > 0, time limit for training in minutes: `measure` then sets the number of steps that fit.
            Defaults to None; each image is then seen a hundred times.
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
    gan.sample(4).shape  # (4, 28, 28, 1)
    ```
    """
    shape = check_data_shape("shape", shape, ranks=(3,))
    # On the digits the Frechet distance fell from 32 to 18 without augmentation, and from 27 to 18 with this width and
    # alternating updates.
    gray = {"width": 20, "simultaneous": False, "augment": False, "flip": False}
    choices = gray if _is_gray(shape) else {}
    return ImageSettings(shape=shape, count=count, minutes=minutes, condition=condition, **choices)


def _is_gray(shape):
    return shape[-1] < 3
