"""Settings for two sets of images without pairs."""

import dataclasses

from keras_gan import architectures
from keras_gan.architectures.shapes import check_data_shape
from keras_gan.checks.values import check_bool, check_integer, check_number
from keras_gan.cyclegan import CycleGAN
from keras_gan.settings.base import Settings, check_architecture, check_size, grid_of_two, noise_of_two

_GENERATORS = ("unet", "residual")
_BLOCKS = 4
# Deeper U-Nets, whose smallest maps see the whole image, painted the same mountains in the same place in many images.
_DEEPEST = 3
# The smallest height and width of a feature map, in pixels.
_SMALLEST = 4
# Colors are matched in the first `1 / _MATCH` of the steps.
_MATCH = 10
_MATCHED = "makes similar colors correspond at first"


@dataclasses.dataclass(kw_only=True)
class UnpairedSettings(Settings):
    """Settings for two sets of images without pairs, each choice with its reason; `for_unpaired` makes them.

    `print` shows the choices and their reasons.

    Attributes:
        shape_a: Tuple `(height, width, channels)` of an image of A.
        shape_b: Tuple, the same for B.
        count_a: Int, how many images of A there are to train on.
        count_b: Int, how many images of B there are.
        count: Int, how many images the larger set has.
        minutes: Float, the time limit for training in minutes, or None.
        architecture: `"unet"` or `"residual"`, which generators from `keras_gan.architectures`.
        width: Int, the `width` of the generators and of the patch discriminators.
        blocks: Int, how many residual blocks each residual generator has; None for 4. Only for `"residual"`.
        separable: Bool, whether convolutions of residual generators are separable, for phones. Only for `"residual"`.
        pool_size: Int, how many earlier outputs are kept for each discriminator.
        batch_size: Int, images of each set for each step.
        learning_rate: Float, the rate of both kinds of networks in the first half of the steps; it falls over the
            second half.
        loss: Name or object from `keras_gan.losses`.
        cycle_weight: Float, the weight of the cycle loss, relative to the adversarial loss.
        identity_weight: Float, the weight of the identity loss, as a share of `cycle_weight`; None for the default of
            `CycleGAN`.
        match_steps: Int, over how many steps the recoloring of the identity loss fades out, see `CycleGAN`; None for a
            tenth of the steps, or for 0 if the sets differ in channels.
        flip: Bool, whether images are mirrored at random.
        crop: Int >= 0: images are read this many pixels higher and wider, and windows cropped from them at random.
        ema: Float, the momentum of the averages of the generators' weights.
        seed: Int, or None.
        steps: Int, how many steps training has.
        epochs: Int, how many parts of equal length the steps are divided into. After each part, the model is evaluated,
            pictures are drawn, and the model is saved. If the kernel distance of translations of A is measured, the
            model with the lowest one is kept.

    Example:

    ```python
    settings = keras_gan.settings.for_unpaired((64, 64, 3), (64, 64, 3), count_a=200, count_b=100)
    settings.count, settings.steps, settings.steps_per_epoch  # (200, 5000, 125)
    settings = settings.replace(architecture="residual", separable=True)
    print(settings)  # the networks are "your choice"
    ```
    """

    monitor = "val_kernel_distance_b"
    _kind = CycleGAN

    shape_a: tuple
    shape_b: tuple
    count_a: int
    count_b: int
    count: int = dataclasses.field(init=False, default=1)
    architecture: str = "unet"
    width: int = 24
    blocks: int | None = None
    separable: bool = False
    pool_size: int = 50
    batch_size: int = 4
    loss: object = "non_saturating"
    cycle_weight: float = 10.0
    identity_weight: float | None = None
    match_steps: int | None = None

    def __post_init__(self):
        check_architecture(self.architecture, _GENERATORS)
        check_bool("separable", self.separable)
        if self.architecture == "unet" and (self.separable or self.blocks is not None):
            raise ValueError(
                "blocks and separable are choices for architecture='residual'. Received: architecture='unet', "
                f"blocks={self.blocks}, separable={self.separable}. Leave them out, or choose architecture='residual'."
            )
        if self.blocks is not None:
            self.blocks = check_integer("blocks", self.blocks)
        for name, least in (("count_a", 1), ("count_b", 1), ("pool_size", 0)):
            setattr(self, name, check_integer(name, getattr(self, name), least))
        self.cycle_weight = check_number("cycle_weight", self.cycle_weight, 0)
        if self.identity_weight is not None:
            self.identity_weight = check_number("identity_weight", self.identity_weight, 0)
        if self.match_steps is not None:
            self.match_steps = check_integer("match_steps", self.match_steps, 0)
        self.count = max(self.count_a, self.count_b)
        super().__post_init__()

    @property
    def _residual_blocks(self):
        return _BLOCKS if self.blocks is None else self.blocks

    @property
    def _depth(self):
        depths = range(1, _DEEPEST + 1)
        return max(k for k in depths if all(n % 2**k == 0 and n // 2**k >= _SMALLEST for n in self.shape_a[:2]))

    @property
    def _match_steps(self):
        if self.match_steps is None:
            return self.steps // _MATCH if self.shape_a == self.shape_b else 0
        return self.match_steps

    def _networks(self):
        (a, b), options = (self.shape_a, self.shape_b), {"width": self.width}
        if self.architecture == "unet":
            build = architectures.unet_generator
            options.update(depth=self._depth)
        else:
            build = architectures.residual_generator
            options.update(blocks=self._residual_blocks, separable=self.separable)
        return CycleGAN(
            build(a, b[2], **options),
            build(b, a[2], **options),
            *(architectures.patch_discriminator(shape, self.width, normalize=False) for shape in (a, b)),
            ema=self.ema,
            seed=self.seed,
            pool_size=self.pool_size,
            match_steps=self._match_steps,
        )

    def _compile(self, model, metrics):
        model.compile(
            # As in the paper.
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
                f"start_from must translate between images of {expected[0]} and {expected[1]}. Received: a "
                f"model of {received[0]} and {received[1]}."
            )
        return model

    def _grid(self, validation_data):
        return grid_of_two(validation_data)

    def _noise(self):
        return noise_of_two(self.shape_a, self.shape_b, self.batch_size)

    def _default(self):
        # `match_steps` depends on the steps.
        return for_unpaired(self.shape_a, self.shape_b, self.count_a, self.count_b).replace(steps=self.steps)

    def _data(self):
        a, b = ("x".join(map(str, shape)) for shape in (self.shape_a, self.shape_b))
        counts = f"{self.count_a:,} of {a}, {self.count_b:,} of {b}"
        return "images", counts, f"each of the larger set is {self._passes}"

    def _choices(self):
        kind = f"U-Nets, depth {self._depth}" if self.architecture == "unet" else f"{self._residual_blocks} blocks"
        if self.separable:
            kind = f"separable, {kind}"
        alike = self.shape_a == self.shape_b
        identity = (0.5 if alike else 0.0) if self.identity_weight is None else self.identity_weight
        return [
            ("networks", f"{kind}, and patches, width {self.width}", "narrow: more steps fit"),
            ("pool_size", f"{self.pool_size}", "the paper's"),
            ("batch_size", f"{self.batch_size}", "small: more steps fit into the time"),
            ("learning_rate", f"{self.learning_rate:g}", "higher than the paper's; falls over the second half"),
            ("loss", str(self.loss), "least squares, as in the paper, diverged in trials"),
            ("cycle_weight", f"{self.cycle_weight:g}", "the paper's"),
            ("identity_weight", f"{identity:g}", "keeps colors that need not change" if alike else "channels differ"),
            ("match_steps", f"{self._match_steps:,}", _MATCHED if alike else "channels differ"),
            *self._varied("images"),
            ("ema", f"{self.ema:g}", "averages of the last weights give better images"),
        ]


def for_unpaired(shape_a, shape_b, count_a, count_b, minutes=None):
    """Chooses the networks and training settings for two sets of images without pairs.

    The generators are U-Nets that halve images three times, if 4 pixels remain: deeper ones put the same mountains in
    the same place in many images. The residual generators of the paper take ten times as many multiply-adds, and in an
    hour they lost the details and the colors of their sources. The patch discriminators have no normalization, which
    would hide the mean color of an image from them. The loss is the non-saturating one: with the paper's least squares,
    such discriminators diverged in some runs. If both sets have the same channels, the identity loss starts with images
    in the colors of the other set: without this, the generators often swapped classes that differ in color, such as sea
    and forest. Images are mirrored if both sets are in color: mirroring suits photographs and drawings, but not
    letters, which are mostly gray. The values come from trials on satellite images and relief, 64x64, with up to an
    hour of one core (docs/settings.md). Other sizes, longer training and GPUs were not tried.

    Args:
        shape_a: Tuple `(height, width, channels)` of an image of A, with 1 to 4 channels. Height and width are
            multiples of 4, at least 16.
        shape_b: Tuple, the same for B, with the same height and width.
        count_a: Int > 0, how many images of A there are to train on.
        count_b: Int > 0, how many of B.
        minutes: Float > 0, the time limit for training in minutes: `measure` then sets the number of steps that fit.
            Defaults to None; each image of the larger set is then seen a hundred times.

    Returns:
        `UnpairedSettings`.

    Raises:
        ValueError: If a number is out of range, or the shapes don't fit.

    Example:

    ```python
    dark, bright = np.random.default_rng(0).integers(0, 128, (2, 40, 32, 32, 3), "uint8")
    settings = keras_gan.settings.for_unpaired((32, 32, 3), (32, 32, 3), count_a=40, count_b=40)
    train = keras_gan.datasets.load_unpaired(dark, bright + 127, batch_size=settings.batch_size, flip=settings.flip)
    # For as many steps as fit into a time: for_unpaired(..., minutes=5), and settings.measure(train) here.
    print(settings)
    model = settings.build()
    # model.fit(settings.epoch(train), epochs=settings.epochs, callbacks=settings.callbacks("runs/bright", best=False))
    model(np.zeros((2, 32, 32, 3))).shape  # (2, 32, 32, 3)
    ```
    """
    shape_a, shape_b = (
        check_data_shape(name, shape, ranks=(3,)) for name, shape in (("shape_a", shape_a), ("shape_b", shape_b))
    )
    if shape_a[:2] != shape_b[:2]:
        raise ValueError(f"shape_b must have the height and width of shape_a, {shape_a}. Received: {shape_b}.")
    check_size("shape_a", shape_a)
    return UnpairedSettings(
        shape_a=shape_a,
        shape_b=shape_b,
        count_a=count_a,
        count_b=count_b,
        minutes=minutes,
        flip=min(shape_a[2], shape_b[2]) >= 3,
    )
