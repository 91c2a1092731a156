"""Settings for pairs of images."""

import dataclasses

from keras_gan import architectures
from keras_gan.architectures.shapes import check_data_shape
from keras_gan.checks.values import check_number
from keras_gan.settings.base import Settings, check_architecture, check_size, grid_of_two, noise_of_two
from keras_gan.translation import Pix2Pix, default_metrics

_GENERATORS = ("unet", "super_resolution")
# The scales of `super_resolution_generator`: how many times as large targets are.
_ENLARGED = (2, 4)
# If a side of the targets is longer than this, the networks have the paper's width.
_LARGE = 128


@dataclasses.dataclass(kw_only=True)
class PairSettings(Settings):
    """Settings for pairs of images, each choice with its reason; `for_pairs` makes them.

    `print` shows the choices and their reasons.

    Attributes:
        source_shape: Tuple `(height, width, channels)`.
        target_shape: Tuple, the same for a target.
        count: Int, how many pairs there are to train on.
        minutes: Float, the time limit for training in minutes, or None.
        architecture: `"unet"` or `"super_resolution"`, which generator from `keras_gan.architectures`.
        width: Int, the `width` of the generator and of the patch discriminator.
        dropout: Float, the share of activations that the U-Net drops; the other generator drops none.
        batch_size: Int, pairs for each step.
        learning_rate: Float, the rate of both players in the first half of the steps; it falls over the second half.
        loss: Name or object from `keras_gan.losses`.
        reconstruction: Name or object of a Keras loss, which measures the distance of an output from its target.
        reconstruction_weight: Float, the weight of this loss, relative to the adversarial loss.
        flip: Bool, whether pairs are mirrored at random, both images alike.
        crop: Int >= 0: targets are read this many pixels higher and wider, sources in proportion, and the same window
            cropped from both at random.
        ema: Float, the momentum of the average of the generator's weights.
        seed: Int, or None.
        steps: Int, how many steps training has.
        epochs: Int, how many parts of equal length the steps are divided into. After each part, the model is evaluated,
            pictures are drawn, and the model is saved.

    Example:

    ```python
    settings = keras_gan.settings.for_pairs((64, 64, 1), (64, 64, 3), count=800)
    settings.steps, settings.steps_per_epoch  # (5000, 125)
    settings = settings.replace(dropout=0.5, epochs=20)
    settings.steps_per_epoch  # 250
    print(settings)  # the dropout is "your choice"
    ```
    """

    _kind = Pix2Pix

    source_shape: tuple
    target_shape: tuple
    architecture: str = "unet"
    width: int = 32
    dropout: float = 0.0
    learning_rate: float = 1e-3
    reconstruction: object = "mae"
    reconstruction_weight: float = 100.0

    def __post_init__(self):
        check_architecture(self.architecture, _GENERATORS)
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
                "architecture must be 'unet', except for targets 2 or 4 times as large as their sources, with as many "
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
            # As in the paper.
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

    def _grid(self, validation_data):
        return grid_of_two(validation_data)

    def _noise(self):
        return noise_of_two(self.source_shape, self.target_shape, self.batch_size)

    def _default(self):
        return for_pairs(self.source_shape, self.target_shape, self.count)

    def _data(self):
        source, target = ("x".join(map(str, shape)) for shape in (self.source_shape, self.target_shape))
        return "pairs", f"{self.count:,} of {source} to {target}", f"each is {self._passes}"

    def _choices(self):
        if self.architecture == "super_resolution":
            networks = f"EDSR and patches, width {self.width}"
            generator = [("networks", networks, "super-resolution: adds details to the enlarged source")]
        else:
            generator = [
                ("networks", f"U-Net and patches, width {self.width}", "wider where images are larger"),
                ("dropout", f"{self.dropout:g}", "no better with it in trials"),
            ]
        return [
            *generator,
            ("batch_size", f"{self.batch_size}", "small: more steps fit into the time"),
            ("learning_rate", f"{self.learning_rate:g}", "higher than the paper's; falls over the second half"),
            ("loss", str(self.loss), "the generator learns even while it loses"),
            ("reconstruction", f"{self.reconstruction}, weight {self.reconstruction_weight:g}", "the paper's"),
            *self._varied("pairs"),
            ("ema", f"{self.ema:g}", "averages of the last weights give better images"),
        ]


def for_pairs(source_shape, target_shape, count, minutes=None):
    """Chooses the networks and training settings for pairs of images, sources and their targets.

    The networks are a U-Net and a patch discriminator, as in pix2pix. For images of up to 128 pixels they have a
    quarter of the paper's number of weights. If targets are 2 or 4 times as large as sources and have as many channels,
    a super-resolution generator takes the place of the U-Net. This generator adds a residual to the enlarged source,
    which is already close to the target. So even before training, its output is as good as plain enlargement. With it,
    the learning rate is 5e-4, as in the trials. If targets are larger than their sources and look different, call
    `replace(architecture="unet", learning_rate=1e-3)`, which keeps the other settings.

    Pairs are mirrored, both images alike, if both are in color: mirroring suits photographs and drawings, but not
    letters, which are mostly gray. For the U-Net they are also read an eighth larger, and random windows are cropped
    from them, from both images alike, about as in the paper. In trials, networks then memorized less. For pixel art,
    which resizing blurs, call `replace(crop=0)`. The values come from trials: on satellite images and relief, 64x64,
    with 40 minutes on one core, and on photographs enlarged to 64x64, with half an hour. Other sizes, longer training
    and GPUs were not tried.

    Args:
        source_shape: Tuple `(height, width, channels)` with 1 to 4 channels.
        target_shape: Tuple, the same for a target. Height and width are multiples of 4, at least 16. They equal those
            of a source, or both are larger by the same integer factor.
        count: Int > 0, how many pairs there are to train on.
        minutes: Float > 0, the time limit for training in minutes: `measure` then sets the number of steps that fit.
            Defaults to None; each pair is then seen a hundred times.

    Returns:
        `PairSettings`.

    Raises:
        ValueError: If a number is out of range, or the shapes don't fit.

    Example:

    ```python
    drawings = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), "uint8")
    settings = keras_gan.settings.for_pairs((16, 16, 1), (16, 16, 1), count=40)
    options = {"batch_size": settings.batch_size, "image_size": 16, "flip": settings.flip, "crop": settings.crop}
    train = keras_gan.datasets.load_pairs(drawings, 255 - drawings, **options)
    # For as many steps as fit into a time: for_pairs(..., minutes=5), and settings.measure(train) here.
    print(settings)
    model = settings.build()
    model.fit(settings.epoch(train), epochs=settings.epochs, callbacks=settings.callbacks("runs/negatives", best=False))
    model(np.zeros((2, 16, 16, 1))).shape  # (2, 16, 16, 1)
    ```
    """
    source_shape = check_data_shape("source_shape", source_shape, ranks=(3,))
    target_shape = check_data_shape("target_shape", target_shape, ranks=(3,))
    scale = target_shape[0] // source_shape[0]
    if not scale or tuple(scale * n for n in source_shape[:2]) != target_shape[:2]:
        raise ValueError(
            f"target_shape must be as large as source_shape, {source_shape}, or larger by the same integer factor in "
            f"height and width. Received: {target_shape}."
        )
    check_size("target_shape", target_shape)
    # A rate of 1e-3 was not tried for super-resolution.
    enlarging = {"architecture": "super_resolution", "learning_rate": 5e-4}
    # In the paper, windows of 256 pixels from 286.
    crop = min(target_shape[:2]) // 8 // scale * scale
    return PairSettings(
        source_shape=source_shape,
        target_shape=target_shape,
        count=count,
        minutes=minutes,
        width=64 if max(target_shape[:2]) > _LARGE else 32,
        flip=min(source_shape[2], target_shape[2]) >= 3,
        **(enlarging if _is_enlarged(source_shape, target_shape) else {"crop": crop}),
    )


def _is_enlarged(source_shape, target_shape):
    """Tells if `super_resolution_generator` can enlarge sources to the shape of targets."""
    same = any(tuple(scale * n for n in source_shape[:2]) == target_shape[:2] for scale in _ENLARGED)
    return same and source_shape[2] == target_shape[2]
