"""Checks of the arguments of `GAN` and `compile`."""

import inspect
import warnings
import weakref

import keras

from keras_gan.checks.values import check_integer, check_model, offers
from keras_gan.keras_private import layers_of

# Where objects belong that are often passed as penalties by mistake.
_ELSEWHERE = {
    keras.constraints.Constraint: " A constraint belongs to layers of the discriminator: kernel_constraint=.",
    keras.regularizers.Regularizer: " A regularizer belongs to layers: kernel_regularizer=.",
    keras.losses.Loss: " Losses of keras_gan.losses belong to loss=.",
    keras.metrics.Metric: " A metric belongs to metrics=.",
}


def check_pack(pack, condition):
    """Raises a ValueError unless `pack` is a positive integer that the condition allows."""
    pack = check_integer("pack", pack)
    if pack > 1 and (condition.given_name is not None or condition.heads):
        raise ValueError(
            "pack must be 1 with a condition: examples that are judged together would need one label. "
            f"Received: pack={pack}, condition={condition!r}."
        )


def check_training(penalties, generator_penalties, augmentation, shape):
    """Raises an error unless these arguments of `compile` are valid for data of a shape."""
    _check_penalties("penalties", penalties, ("discriminator", "real", "fake"))
    _check_penalties("generator_penalties", generator_penalties, ("generator", "latents", "given", "fake"))
    if augmentation is None:
        return
    if not offers(augmentation, "transform", "update"):
        raise TypeError(
            "augmentation must be a keras_gan.augmentation.Augmentation, such as DiffAugment(). "
            f"Received: {augmentation!r}."
        )
    if len(shape) != 3:
        raise ValueError(f"augmentation needs images (height, width, channels). Received: data of shape {shape}.")


def check_views(augmentation, condition):
    """Raises a ValueError if a condition compares views without an augmentation to make them."""
    if augmentation is None and condition.compares_views:
        raise ValueError(
            "augmentation must be given, such as keras_gan.augmentation.Affine(), since the condition's "
            "consistency_weight compares two views of each example. Received: None. Or set consistency_weight=0."
        )


def check_adaptive(augmentation, boundary, loss):
    """Raises a ValueError if an augmentation learns from the signs of logits, but these signs mean nothing under the
    loss."""
    if getattr(augmentation, "needs_boundary", False) and boundary is None:
        raise ValueError(
            f"augmentation={type(augmentation).__name__} needs a loss with a boundary, from which it counts how "
            f"often the discriminator is right about single images. Received: loss={type(loss).__name__}, under "
            "which adding a constant to all logits changes nothing, so that the discriminator's bias alone would "
            "set the probability. Use a loss such as 'non_saturating' or 'hinge', or a fixed augmentation such as "
            "DiffAugment()."
        )


def _check_penalties(name, penalties, arguments):
    """Raises a TypeError unless the penalties can be called with the arguments of `keras_gan.penalties.Penalty` or
    `GeneratorPenalty`."""
    _check_list(name, penalties)
    example = "R1(1.0)" if name == "penalties" else "ModeSeeking()"
    for penalty in penalties:
        try:
            signature = inspect.signature(penalty)
            # Keras's metrics and layers accept any arguments.
            fits = not isinstance(penalty, type) and "seed" in signature.parameters
            signature.bind(*arguments, seed=None)
        except (TypeError, ValueError):
            fits = False
        if not fits:
            hints = (place for kind, place in _ELSEWHERE.items() if isinstance(penalty, kind))
            raise TypeError(
                f"{name} must be objects such as keras_gan.penalties.{example}, called with ({', '.join(arguments)}, "
                f"seed). Received: {penalty!r}.{next(hints, '')}"
            )


def check_metrics(metrics):
    """Raises an error unless these are metrics whose results have different names.

    Raises:
        TypeError: If `metrics` is not a list of `keras.metrics.Metric` objects.
        ValueError: If two of them log a result of the same name.
    """
    _check_list("metrics", metrics)
    owners = {}
    for metric in metrics:
        if not isinstance(metric, keras.metrics.Metric):
            raise TypeError(
                "metrics must be keras.metrics.Metric objects that compare reals with fakes, such as "
                f"keras_gan.metrics.FrechetDistance(). Received: {metric!r}."
            )
        for name in result_names(metric):
            if name in owners:
                raise ValueError(
                    "metrics must log results of different names, or one takes the place of another. Received: "
                    f"{name!r} of {owners[name]} and of {type(metric).__name__}. Pass another name= to one of them."
                )
            owners[name] = type(metric).__name__


def check_names(log_names, metrics):
    """Raises a ValueError if two logs of a step, or one of them and a metric, have the same name."""
    names = [*log_names, *(name for metric in metrics for name in result_names(metric))]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            f"Logs must have different names, or one takes the place of another. Received: {twice!r} twice, among "
            f"the logs {log_names} and those of the metrics. Rename the penalty's class, the function or the metric "
            "that logs it."
        )


def check_owner(parts, model):
    """Raises a ValueError if a stateful part belongs to another model, else assigns it to this one.

    Args:
        parts: List whose entries are penalties, augmentations or None.
        model: The model that is compiled.
    """
    for part in parts:
        if not getattr(part, "variables", None):
            continue
        owner = getattr(part, "_owner", lambda: None)()
        if owner is not None and owner is not model:
            raise ValueError(
                f"{type(part).__name__} must be a new object for each model, since it keeps averages. "
                f"Received: {part!r}, which is part of another model. Make a new one where the model is made."
            )
        part._owner = weakref.ref(model)


def result_names(metric):
    """Returns the names that a metric's results are logged under, a tuple."""
    return getattr(metric, "result_names", (metric.name,))


def check_monitors(callbacks, metrics):
    """Sets the mode of callbacks that watch a metric, where the user has not.

    Args:
        callbacks: List of `keras.callbacks.Callback`. Those such as `keras.callbacks.EarlyStopping` with `mode="auto"`
            get a mode.
        metrics: List of `keras.metrics.Metric`, those of `compile`.

    Raises:
        ValueError: If a callback watches anything else and has no mode. Without this check, Keras would raise an error
            only after the first epoch.
    """
    modes = {}
    for metric in metrics:
        modes.update(zip(result_names(metric), getattr(metric, "directions", ()), strict=False))
    for callback in callbacks:
        if not hasattr(callback, "monitor") or getattr(callback, "mode", None) != "auto":
            continue
        mode = modes.get(callback.monitor.removeprefix("val_"))
        if mode is None and not getattr(callback, "save_best_only", True):
            # It saves every epoch, yet Keras requires a mode.
            mode = "min"
        if mode is None:
            known = [f"'val_{name}'" for name, mode in modes.items() if mode]
            advice = f"one of {', '.join(known)}" if known else "a metric of compile(metrics=[...])"
            raise ValueError(
                f"monitor of {type(callback).__name__} must be a metric that tells which epoch is better, such as "
                f"{advice}, or mode must be 'min' or 'max'. Received: monitor={callback.monitor!r}. The losses of "
                "players that train against each other do not fall as samples get better."
            )
        callback.mode = mode


def check_trainable(name, networks):
    """Raises a ValueError if a player, a list of networks, has no trainable weights."""
    for network in networks:
        check_model(name, network)
        if not network.trainable_variables:
            raise ValueError(
                f"{name} must have trainable weights. No network needs freezing: each update changes only the "
                f"weights of its own player. Received: a {name} without trainable weights, the network "
                f"{network.name!r}. Set its attribute trainable to True."
            )


def _check_list(name, objects):
    if not isinstance(objects, (list, tuple)):
        raise TypeError(f"{name} must be a list of objects. Received: {objects!r}.")


def bounds_slope(discriminator):
    """Checks if layers of a discriminator bound its slope: by spectral normalization, or by constraints."""
    return any(
        type(layer).__name__ == "SpectralNormalization" or getattr(layer, "kernel_constraint", None)
        for layer in layers_of(discriminator)
    )


def warn_without_lipschitz_control(loss, penalties, discriminator):
    """Warns of an unbounded loss for a discriminator without Lipschitz control."""
    if getattr(loss, "needs_lipschitz", False) and not penalties and not bounds_slope(discriminator):
        warnings.warn(
            f"loss={type(loss).__name__} without control of the discriminator's slope: its loss has no bound and "
            "training diverges. Pass penalties=[keras_gan.penalties.GradientPenalty()], or use spectral normalization "
            "or weight clipping.",
            stacklevel=3,
        )
