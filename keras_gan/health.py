"""Per-step diagnostics of both players, at almost no cost, and alarms computed from logs."""

import dataclasses
import math
from collections.abc import Callable

import keras
from keras import ops

from keras_gan.penalties import penalty_name

__all__ = [
    "Alarm",
    "cycle_stands_still",
    "discriminator_won",
    "diversity",
    "generator_collapsed",
    "generator_memorizes",
    "measure",
    "measure_translation",
    "output_copies_source",
    "output_ignores_source",
    "reconstruction_stands_still",
]


def __dir__():
    return __all__


_LOSS_FLOOR = 0.05
_LEAST_DIVERSITY = 0.05
_MOST_COPIES = 0.5
_LEAST_CHANGE = 0.05
# Training stands still if the loss is above this fraction of the first epoch's, and the error above this fraction of a
# guess's, which is one picture for all sources.
_STILL, _HARDLY_BETTER = 0.98, 0.9
_COMPARED = 256
_PAIRED_ADVICE = (
    "Check that sources and targets belong together, and try a larger reconstruction_weight or a lower learning rate."
)


@dataclasses.dataclass(frozen=True)
class Alarm:
    """Alarm on an epoch's logs if training goes wrong, for `keras_gan.callbacks.TrainingHealth`.

    Attributes:
        name: String, such as `"generator_collapsed"`.
        sounds: Function of an epoch's logs, a dict, that returns a bool. The dict also holds the logs of the first
            epoch of `fit`, with `first_` before each name.
        message: Function of these logs that returns a string: what is wrong, and what to try.

    Example:

    ```python
    alarm = keras_gan.health.Alarm(
        name="loss_is_high",
        sounds=lambda logs: logs["generator_loss"] > 5,
        message=lambda logs: f"The generator's loss is {logs['generator_loss']:.2g}. Try a lower learning rate.",
    )
    alarm.sounds({"generator_loss": 6.0})  # True


    class WatchedGAN(keras_gan.GAN):
        def alarms(self):
            return [*super().alarms(), alarm]
    ```
    """

    name: str
    sounds: Callable
    message: Callable


def discriminator_won(loss, suffix=""):
    """Returns an `Alarm` for a discriminator's loss below 5 % of the cost of a guess.

    Args:
        loss: The adversarial loss, from `keras_gan.losses`. If a guess costs nothing, the alarm never sounds.
        suffix: String that the names of the alarm and of its logs end in, such as `"_a"` for one of several
            discriminators. Defaults to `""`.

    Example:

    ```python
    alarm = keras_gan.health.discriminator_won(keras_gan.losses.NonSaturating())
    alarm.sounds({"discriminator_loss": 1.2})  # False
    alarm.sounds({"discriminator_loss": 0.01})  # True
    ```
    """
    undecided = ops.full((1, 1), getattr(loss, "boundary", None) or 0.0)
    guess = float(ops.convert_to_numpy(loss.discriminator(undecided, undecided)))
    name = f"discriminator_loss{suffix}"
    return Alarm(
        f"discriminator_won{suffix}",
        lambda logs: guess > 0 and logs.get(name, math.nan) < _LOSS_FLOOR * guess,
        lambda logs: (
            f"The discriminator has won: its loss ({name}) is {logs[name]:.2g}, where a guess costs "
            f"{guess:.2g}, so the generator hardly learns. Try penalties=[keras_gan.penalties.R1()], a lower learning "
            "rate of the discriminator, or an augmentation if data are few."
        ),
    )


def generator_collapsed():
    """Returns an `Alarm` for fakes whose `diversity` is below 5 % of that of the data.

    Example:

    ```python
    alarm = keras_gan.health.generator_collapsed()
    alarm.sounds({"diversity": 0.9})  # False
    alarm.sounds({"diversity": 0.01})  # True
    ```
    """
    return Alarm(
        "generator_collapsed",
        lambda logs: logs.get("diversity", math.nan) < _LEAST_DIVERSITY,
        lambda logs: (
            f"The generator has collapsed: its samples differ from each other {logs['diversity']:.1%} as much as the "
            "data do. Try GAN(..., pack=2), penalties=[keras_gan.penalties.R1()], or a lower learning rate."
        ),
    )


def generator_memorizes():
    """Returns an `Alarm` if over half of the fakes are near training images, by `keras_gan.metrics.Memorization`.

    Example:

    ```python
    alarm = keras_gan.health.generator_memorizes()
    alarm.sounds({"val_memorization": 0.05})  # False
    alarm.sounds({"val_memorization": 0.7})  # True
    ```
    """
    return Alarm(
        "generator_memorizes",
        lambda logs: logs.get("val_memorization", math.nan) > _MOST_COPIES,
        lambda logs: (
            f"The generator repeats training images: {logs['val_memorization']:.0%} of its samples are as close to "
            "one as the closest 5% of held-out images are. See them with keras_gan.metrics.nearest. Try fewer "
            "epochs, more data, or augmentation=keras_gan.augmentation.DiffAugment()."
        ),
    )


def output_ignores_source(suffix="", advice=_PAIRED_ADVICE):
    """Returns an `Alarm` for a translation whose outputs differ from each other less than 5 % as much as targets do.

    Args:
        suffix: As for `discriminator_won`. Defaults to `""`.
        advice: String, what to do. Defaults to advice for pairs.

    Example:

    ```python
    alarm = keras_gan.health.output_ignores_source()
    alarm.sounds({"diversity": 0.9})  # False
    alarm.sounds({"diversity": 0.01})  # True
    ```
    """
    name = f"diversity{suffix}"
    return Alarm(
        f"output_ignores_source{suffix}",
        lambda logs: logs.get(name, math.nan) < _LEAST_DIVERSITY,
        lambda logs: (
            f"The output ignores the source: outputs differ from each other {logs[name]:.1%} as much as targets do "
            f"({name}). {advice}"
        ),
    )


def output_copies_source(
    suffix="", advice="Train for longer, or try a larger reconstruction_weight and a wider generator."
):
    """Returns an `Alarm` for a translation whose outputs differ from the sources under 5 % as much as targets do.

    Args:
        suffix: As for `discriminator_won`. Defaults to `""`.
        advice: String, what to do. Defaults to advice for pairs.

    Example:

    ```python
    alarm = keras_gan.health.output_copies_source(suffix="_b")
    alarm.sounds({"change_b": 0.8})  # False
    alarm.sounds({"change_b": 0.01})  # True
    ```
    """
    name = f"change{suffix}"
    return Alarm(
        f"output_copies_source{suffix}",
        lambda logs: logs.get(name, math.nan) < _LEAST_CHANGE,
        lambda logs: (
            f"The output copies the source: outputs differ from their sources only {logs[name]:.1%} as much as targets "
            f"do ({name}). "
            f"{advice}"
        ),
    )


def reconstruction_stands_still():
    """Returns an `Alarm` for a reconstruction loss that has hardly fallen since the first epoch, and is hardly better
    than a guess.

    A guess is one picture for all sources: the mean of a batch's targets.

    Example:

    ```python
    alarm = keras_gan.health.reconstruction_stands_still()
    alarm.sounds({"reconstruction_loss": 0.5, "relative_error": 1.0})  # True
    alarm.sounds({"reconstruction_loss": 0.3, "relative_error": 0.6})  # False
    ```
    """
    return Alarm(
        "reconstruction_stands_still",
        _stands_still("reconstruction_loss", "relative_error"),
        lambda logs: (
            f"The reconstruction loss has plateaued at {logs['reconstruction_loss']:.3g}, hardly better than one "
            "picture for every source. Check that sources and targets belong together, and try a higher learning rate "
            "or a larger reconstruction_weight."
        ),
    )


def cycle_stands_still(suffix):
    """Returns an `Alarm` for reconstructions hardly better than in the first epoch, and hardly better than the mean.

    Args:
        suffix: As for `discriminator_won`.

    Example:

    ```python
    alarm = keras_gan.health.cycle_stands_still("_a")
    alarm.sounds({"cycle_loss_a": 0.5, "relative_error_a": 1.0})  # True
    alarm.sounds({"cycle_loss_a": 0.3, "relative_error_a": 0.6})  # False
    ```
    """
    name = f"cycle_loss{suffix}"
    return Alarm(
        f"cycle_stands_still{suffix}",
        _stands_still(name, f"relative_error{suffix}"),
        lambda logs: (
            f"The cycle loss has plateaued: {name} is {logs[name]:.3g}. Images come back hardly closer to the "
            "originals than one picture for all would be. Try a higher learning rate or a larger cycle_weight."
        ),
    )


def _stands_still(loss, error):
    """Returns a function of logs that checks if a loss stays at its first value, and the error is that of a guess."""

    def sounds(logs):
        now = logs.get(loss, math.nan)
        return now > _STILL * logs.get(f"first_{loss}", now) and logs.get(error, math.nan) > _HARDLY_BETTER

    return sounds


def names(loss, penalties=()):
    """Returns the names of `measure_game`'s results, for a loss and names of penalties, in the order of the logs."""
    implied = ["implied_jensen_shannon"] if _implies(loss) else []
    return ["real_score", "fake_score", "diversity", *implied, *penalties]


def update_names(loss_scales):
    """Returns the names of `measure_updates`' results, in the order of the logs; `loss_scales` says whether loss scales
    are among them."""
    scales = ["discriminator_loss_scale", "generator_loss_scale"] if loss_scales else []
    return ["discriminator_gradient_norm", "generator_gradient_norm", *scales]


def measure(loss, real, d, g):
    """Measures one step of both players.

    Args:
        loss: The adversarial loss, from `keras_gan.losses`.
        real: Tensor of data `(batch, ...)`.
        d: Dict of the discriminator's update: its `loss`, the `real_logits` and `fake_logits` `(batch, ..., 1)`, the
            `fake` data `(batch, ...)`, a dict of its `penalties` and its `gradient_norm`; in float16 its `loss_scale`.
            All but logits and fakes are scalars.
        g: Dict of the generator's update: a dict of its `penalties` and its `gradient_norm`; in float16 its
            `loss_scale`.

    Returns:
        Dict of scalar tensors: `real_score` and `fake_score`, the means of D(x) and D(G(z)), probabilities for a loss
        that has them, else raw outputs; the `diversity` of fakes; for a minimax loss without smoothing
        `implied_jensen_shannon`, the divergence in nats that the discriminator has found; each penalty, with its
        weight; both gradient norms and, in float16, both loss scales.

    Example:

    ```python
    real = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    zeros = np.zeros((64, 1), "float32")
    d = {"real_logits": zeros, "fake_logits": zeros, "fake": real, "loss": 1.386, "penalties": {}, "gradient_norm": 1.0}
    g = {"penalties": {}, "gradient_norm": 2.0}
    logs = keras_gan.health.measure(keras_gan.losses.NonSaturating(), real, d, g)
    logs["real_score"]  # 0.5
    logs["diversity"]  # 1.0
    ```
    """
    return {**measure_game(loss, real, d, g), **measure_updates(d, g)}


def measure_game(loss, real, d, g):
    """Measures the outputs of a discriminator and a generator on one batch: `measure` without both updates."""
    score = getattr(loss, "score", lambda logits: logits)
    values = {
        "real_score": ops.mean(score(ops.cast(d["real_logits"], "float32"))),
        "fake_score": ops.mean(score(ops.cast(d["fake_logits"], "float32"))),
        "diversity": diversity(real, d["fake"]),
        **d["penalties"],
        **g["penalties"],
    }
    if _implies(loss):
        values["implied_jensen_shannon"] = loss.implied_jensen_shannon(d["loss"])
    return values


def measure_updates(d, g):
    """Measures the updates of both players: their gradient norms and, in float16, their loss scales."""
    players = {"discriminator": d, "generator": g}
    values = {f"{name}_gradient_norm": update["gradient_norm"] for name, update in players.items()}
    scales = {f"{name}_loss_scale": update["loss_scale"] for name, update in players.items() if "loss_scale" in update}
    return {**values, **scales}


def measure_translation(source, target, output):
    """Measures one batch of a translation of images.

    Args:
        source: Tensor `(batch, height, width, channels)`, as large as the target.
        target: Tensor `(batch, height, width, other_channels)`.
        output: Tensor shaped like `target`.

    Returns:
        Dict of scalar tensors: `change`, the distance of outputs from their sources, relative to that of targets, in
        gray if channels differ; and `relative_error`, their distance from their targets, relative to that of the
        targets' mean.

    Example:

    ```python
    source = np.random.default_rng(0).uniform(-1, 1, (8, 16, 16, 3))
    found = keras_gan.health.measure_translation(source, target=-source, output=-source)
    found["change"]  # 1.0
    found["relative_error"]  # 0.0
    ```
    """
    return {"change": change(source, target, output), "relative_error": relative_error(target, output)}


def change(source, target, output):
    """Measures the distance of outputs from their sources, relative to that of targets, as `measure_translation`."""
    source, target, output = (ops.cast(x, "float32") for x in (source, target, output))
    if source.shape[-1] != target.shape[-1]:
        source, target, output = (ops.mean(x, axis=-1, keepdims=True) for x in (source, target, output))
    return _ratio(output - source, target - source)


def relative_error(target, output):
    """Measures the distance of outputs from their targets, relative to that of the mean; 1 for a single target."""
    target, output = ops.cast(target, "float32"), ops.cast(output, "float32")
    error = _ratio(output - target, target - ops.mean(target, axis=0, keepdims=True))
    return ops.where(ops.shape(target)[0] > 1, error, 1.0)


def _ratio(x, y):
    smallest = keras.config.epsilon()
    return (ops.mean(ops.abs(x)) + smallest) / (ops.mean(ops.abs(y)) + smallest)


def diversity(real, fake):
    """Measures the mean distance from a fake to its nearest neighbor among the batch's first 256 fakes, relative to the
    same distance for reals.

    `mean_i min_j ||G(z_i) - G(z_j)|| / mean_i min_j ||x_i - x_j||`, `j != i`: 1 if fakes vary as reals do, near 0 if
    the generator makes only one or a few different samples.

    Args:
        real: Tensor `(batch, ...)`.
        fake: Tensor of the same shape.

    Returns:
        Scalar tensor; 1 for a single example, and if neither varies.

    Example:

    ```python
    real = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    keras_gan.health.diversity(real, fake=real / 2)  # 0.5
    keras_gan.health.diversity(real, fake=np.zeros_like(real))  # 0.0
    ```
    """
    smallest = keras.config.epsilon()
    return (_nearest(fake) + smallest) / (_nearest(real) + smallest)


def culprit(broken, penalties, generator_penalties=(), updates=1):
    """Names the part of a step that made the first value that is not finite.

    Args:
        broken: Set of the names of logs that are not finite; all were finite before this step.
        penalties: List of the discriminator's penalties.
        generator_penalties: List of the generator's penalties.
        updates: Int, number of discriminator updates since then. With several, the first affects the others, and the
            answer is less specific. Defaults to `1`.

    Returns:
        String, a phrase such as "the penalty r1 of the discriminator".
    """
    # In the order of the step: the first non-finite part affects the later ones.
    if updates > 1 and "real_score" in broken:
        return f"one of {updates} updates of the discriminator: the data, its loss or a penalty"
    if {"real_score", "fake_score"} <= broken:
        return "the discriminator's weights, after its last update"
    if "real_score" in broken:
        return "the data"
    if "fake_score" in broken:
        return "what the generator makes"
    if "discriminator_loss" in broken:
        return "the discriminator's adversarial loss"
    for name in map(penalty_name, penalties):
        if name in broken:
            return f"the penalty {name} of the discriminator"
    if "discriminator_gradient_norm" in broken:
        return "the gradient of the discriminator, whose adversarial loss and penalties are finite"
    if "generator_loss" in broken:
        return "the generator's adversarial loss, after the discriminator's update"
    for name in map(penalty_name, generator_penalties):
        if name in broken:
            return f"the penalty {name} of the generator"
    if "generator_gradient_norm" in broken:
        return "the gradient of the generator, whose adversarial loss is finite"
    return " and ".join(sorted(broken))


def _nearest(x):
    # All pairs are compared.
    x = ops.cast(x[:_COMPARED], "float32")
    n = ops.shape(x)[0]
    x = ops.reshape(x, (n, -1))
    # After centering, squares lose fewer digits in the subtraction below.
    # Not in place: on torch it would change the data.
    x = x - ops.mean(x, axis=0)
    squares = ops.sum(ops.square(x), axis=1)
    distances = squares[:, None] + squares[None] - 2 * ops.matmul(x, ops.transpose(x))
    beyond = ops.max(squares) * 4
    nearest = ops.min(ops.where(ops.eye(n, dtype="bool"), beyond, distances), axis=1)
    return ops.where(n > 1, ops.mean(ops.sqrt(ops.maximum(nearest, 0.0))), 0.0)


def _implies(loss):
    return getattr(loss, "label_smoothing", None) == 0 and hasattr(loss, "implied_jensen_shannon")
