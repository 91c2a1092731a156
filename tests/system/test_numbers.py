"""One rule for numbers: all numeric arguments refuse other values, with the same message."""

import dataclasses
import functools
import inspect
import json
import math

import hypothesis
import keras
import numpy as np
import pages
import pytest
from hypothesis import strategies as st

import keras_gan
from keras_gan.checks.values import check_integer, check_integers, check_number

A = keras_gan.architectures

# === The rule ===


@hypothesis.given(st.integers())
def test_integers(value):
    assert check_integer("n", value, None) == value
    inside = -5 <= value <= 7
    for same in (value, np.array(value)) if abs(value) >= 2**63 else (value, np.int64(value), np.array(value)):
        if inside:
            found = check_integer("n", same, -5, 7)
            assert found == value and type(found) is int
        else:
            with pytest.raises(ValueError, match=r"^n must be an integer from -5 to 7\. Received: "):
                check_integer("n", same, -5, 7)


@hypothesis.given(st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-(2**53), 2**53))
def test_numbers(value):
    for same in (value, np.float64(value), np.array(value)):
        found = check_number("x", same)
        assert found == value and type(found) is float
        for open_low, open_high, bounds in ((0, 0, r"\[0, 1\]"), (1, 0, r"\(0, 1\]"), (0, 1, r"\[0, 1\)")):
            inside = (value > 0 if open_low else value >= 0) and (value < 1 if open_high else value <= 1)
            if inside:
                assert check_number("x", same, 0, 1, open_low, open_high) == value
            else:
                with pytest.raises(ValueError, match=rf"^x must be a number in {bounds}\. Received: "):
                    check_number("x", same, 0, 1, open_low, open_high)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_integer("n", 0), "n must be a positive integer. Received: 0."),
        (lambda: check_integer("n", 1, 2), "n must be an integer >= 2. Received: 1."),
        (lambda: check_integer("n", 3, None, 2), "n must be an integer <= 2. Received: 3."),
        (lambda: check_integer("n", 2.0, None), "n must be an integer. Received: 2.0."),
        (lambda: check_integers("n", [3, 0]), "each of n must be a positive integer. Received: 0."),
        (lambda: check_integers("n", ()), "n must have at least one positive integer. Received: none."),
        (lambda: check_number("gamma", math.inf, 0), "gamma must be a finite number >= 0. Received: inf."),
        (lambda: check_number("x", 0, 0, open_low=True), "x must be a finite number > 0. Received: 0."),
        (lambda: check_number("x", 2, high=1), "x must be a finite number <= 1. Received: 2."),
        (lambda: check_number("x", 1, high=1, open_high=True), "x must be a finite number < 1. Received: 1."),
        (lambda: check_number("x", "a"), "x must be a finite number. Received: 'a'."),
        (lambda: check_number("x", 10**400), f"x must be a finite number. Received: {10**400}."),
    ],
)
def test_words(check, message):
    with pytest.raises(ValueError) as caught:
        check()
    assert str(caught.value) == message


# === All numeric arguments ===


def networks():
    return {"generator": A.mlp_generator((2,), 4, (4,)), "discriminator": A.mlp_discriminator((2,), (4,))}


def pair_networks():
    return {
        "generator": A.unet_generator((8, 8, 1), width=2),
        "discriminator": keras.Sequential([keras.Input((8, 8, 2)), keras.layers.Conv2D(1, 3)]),
    }


def cycle_networks():
    generators = {name: A.residual_generator((8, 8, 1), width=2, blocks=1) for name in ("generator_ab", "generator_ba")}
    judges = ("discriminator_a", "discriminator_b")
    return generators | {name: keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 3)]) for name in judges}


IMAGES = -np.ones((2, 8, 8, 1))
IMAGE_SIZES = {"image_shape": (16, 16, 1), "width": 2}
# Valid arguments where defaults are not numbers. An argument is numeric if its value here, or else its default, is a
# number or a tuple of numbers.
VALID = {
    "CycleGAN": {**cycle_networks(), "ema": 0.5, "seed": 3},
    "GAN": {**networks(), "ema": 0.5, "seed": 3},
    "architectures.dcgan_discriminator": {**IMAGE_SIZES},
    "architectures.dcgan_generator": {**IMAGE_SIZES, "latent_dim": 4},
    "architectures.mlp_discriminator": {"data_shape": (3,), "units": (4, 5)},
    "architectures.mlp_generator": {"data_shape": (3,), "latent_dim": 4, "units": (4, 5)},
    "architectures.modern_discriminator": {**IMAGE_SIZES},
    "architectures.modern_generator": {**IMAGE_SIZES, "latent_dim": 4},
    "Pix2Pix": {**pair_networks(), "ema": 0.5, "seed": 3},
    "architectures.patch_discriminator": {"shape": (16, 16, 3), "width": 4, "receptive_field": 16},
    "architectures.residual_generator": {
        "source_shape": (8, 8, 3),
        "target_channels": 1,
        "width": 4,
        "blocks": 1,
    },
    "architectures.super_resolution_generator": {"source_shape": (8, 8, 3), "scale": 2, "width": 4, "blocks": 1},
    "architectures.unet_generator": {
        "source_shape": (8, 8, 3),
        "target_channels": 1,
        "width": 4,
        "dropout": 0.1,
        "depth": 2,
    },
    "architectures.resnet_discriminator": {**IMAGE_SIZES},
    "architectures.resnet_generator": {**IMAGE_SIZES, "latent_dim": 4},
    "architectures.sn_dcgan_discriminator": {**IMAGE_SIZES},
    "callbacks.BackupAndRestore": {"backup_dir": "backup", "save_freq": 3},
    "callbacks.MetricsLog": {"path": "metrics.jsonl"},
    "callbacks.SampleGrid": {"log_dir": "run", "columns": 3},
    "callbacks.Stopwatch": {"limit": 5.0, "learning_rate": 0.1},
    "conditions.AuxiliaryClassifier": {"num_classes": 3},
    "conditions.Codes": {"categorical": (3, 2), "continuous": 2},
    "conditions.Vector": {"n": 3},
    "conditions.Labels": {"num_classes": 3},
    "datasets.from_dataset": {
        "data": np.zeros((4, 9, 9, 1), "uint8"),
        "batch_size": 4,
        "image_size": (8, 8),
        "seed": 3,
    },
    "datasets.load": {"name": "digits", "batch_size": 4, "image_size": (8, 8), "seed": 3},
    "datasets.load_pairs": {
        "a": np.zeros((4, 9, 9, 1), "uint8"),
        "batch_size": 4,
        "image_size": (8, 8),
        "seed": 3,
        "degrade": 2,
    },
    "datasets.load_unpaired": {
        "a": np.zeros((4, 9, 9, 1), "uint8"),
        "b": np.ones((5, 9, 9, 1), "uint8"),
        "batch_size": 4,
        "image_size": (8, 8),
        "seed": 3,
    },
    "export.benchmark": {"filepath": "generator.tflite"},
    "export.export": {"generator": None, "filepath": "generator.tflite"},
    "export.export_translation": {"model": None, "filepath": "relief.tflite"},
    "images.save_animation": {"path": "a.gif", "pictures": np.zeros((2, 2, 2, 1), "uint8")},
    "images.grid": {"images": np.zeros((3, 2, 2, 1)), "columns": 2},
    "images.side_by_side": {"batches": [IMAGES, IMAGES]},
    "layers.Residual": {"residual": []},
    "layers.SpectralNormalization": {"layer": keras.layers.Dense(2)},
    "metrics.ClassifierScore": {"features": None},
    "pace.measure": {"gan": None, "data": None},
    "metrics.ModeCoverage": {"centers": np.eye(2), "sigma": 0.5},
    "metrics.Memorization": {"features": None},
    "metrics.features.classifier": {"dataset": "digits"},
    "metrics.features.self_supervised": {"dataset": "digits", "steps": 2},
    "metrics.features.steps_within": {"seconds": 1.0, "shape": (8, 8, 1)},
    "metrics.nearest": {"features": None, "samples": IMAGES, "training_set": IMAGES},
    "priors.Categorical": {"num_classes": 3},
    "priors.Concatenated": {"priors": [keras_gan.priors.Normal(2)]},
    "priors.Mixture": {"centers": np.eye(2)},
    "priors.Normal": {"latent_dim": 3},
    "priors.Prior": {"latent_dim": 3},
    "priors.Uniform": {"latent_dim": 3},
    "priors.circle": {"num_modes": 3, "latent_dim": 2},
    "schedules.ConstantThenLinear": {"initial_learning_rate": 0.1, "steps": 10},
    "settings.for_images": {"shape": (16, 16, 1), "count": 30, "minutes": 2.0},
    "settings.for_pairs": {
        "source_shape": (16, 16, 1),
        "target_shape": (16, 16, 3),
        "count": 30,
        "minutes": 2.0,
    },
    "settings.for_unpaired": {
        "shape_a": (16, 16, 1),
        "shape_b": (16, 16, 3),
        "count_a": 30,
        "count_b": 20,
        "minutes": 2.0,
    },
    "walks.tour": {"stops": np.eye(3)},
}
# Without numeric arguments.
WITHOUT_NUMBERS = {
    "callbacks.for_run",
    "callbacks.read_metrics",
    "datasets.class_names",
    "datasets.survey",
    "datasets.survey_pairs",
    "health.cycle_stands_still",
    "health.discriminator_won",
    "health.diversity",
    "health.generator_collapsed",
    "health.generator_memorizes",
    "health.measure",
    "health.measure_translation",
    "health.output_copies_source",
    "health.output_ignores_source",
    "health.reconstruction_stands_still",
    "images.save",
    "images.to_uint8",
    "metrics.PSNR",
    "metrics.SSIM",
    "metrics.classify",
    "losses.get",
    "saving.load_untrusted",
    "saving.replacing",
    "walks.lerp",
    "walks.slerp",
}
# After the check of numbers they train, read or write.
SLOW = {
    "datasets.from_dataset",
    "datasets.load",
    "datasets.load_pairs",
    "datasets.load_unpaired",
    "export.benchmark",
    "export.export",
    "export.export_translation",
    "images.save_animation",
    "metrics.features.classifier",
    "metrics.features.self_supervised",
    "metrics.features.steps_within",
    "metrics.nearest",
    "pace.measure",
}
# Numbers that may be negative.
OF_ANY_SIGN = {"high", "low", "mean", "radius"}


@functools.cache
def things():
    """Every public class and function with arguments of ours, by its path below `keras_gan`."""
    return {
        name.removeprefix("keras_gan."): thing
        for name, thing in pages.things()
        if not dataclasses.is_dataclass(thing)
        # Arguments of Keras's classes are checked by Keras.
        and getattr(thing.__init__ if inspect.isclass(thing) else thing, "__module__", "").startswith("keras_gan")
    }


def parameters(path):
    """The parameters of a constructor or function, without `*args` and `**kwargs`."""
    found = inspect.signature(things()[path]).parameters.values()
    return {p.name: p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def arguments():
    """Every `(path, argument, value, default)` with a number, or a tuple of numbers, for a value."""
    for path in things():
        if path in WITHOUT_NUMBERS:
            continue
        for name, parameter in parameters(path).items():
            value = VALID.get(path, {}).get(name, parameter.default)
            if is_number(value) or (isinstance(value, tuple) and value and all(map(is_number, value))):
                yield path, name, value, parameter.default


def walk():
    for path, name, value, default in arguments():
        yield pytest.param(path, name, value, default, id=f"{path}({name})")


def make(path, **changed):
    return things()[path](**{**VALID.get(path, {}), **changed})


def test_the_walk_passes_everywhere():
    for path in set(things()) - WITHOUT_NUMBERS:
        required = {name for name, p in parameters(path).items() if p.default is p.empty}
        assert required <= set(VALID.get(path, ())), f"VALID must give {path} its arguments {sorted(required)}"
    gone = (set(VALID) | WITHOUT_NUMBERS | SLOW) - set(things())
    assert not gone, f"these are no longer there: {sorted(gone)}"
    walked = {f"{path}({name})" for path, name, _, _ in arguments()}
    assert {"penalties.R1(gamma)", "priors.circle(radius)", "export.export(batch_sizes)"} < walked
    assert len(walked) > 80


def wrong(name, number, default):
    """Values that an argument must refuse."""
    some = [
        st.booleans(),
        st.booleans().map(np.bool_),
        st.sampled_from([math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf")]),
        st.text().filter(lambda text: text not in ("auto", "epoch")),
        st.lists(st.integers(1, 9)),
        st.lists(st.integers(1, 9)).map(np.array),
        st.complex_numbers(),
        st.decimals(allow_nan=False),
        st.sampled_from([object(), int, len, {}, b"3"]),
    ]
    # With an automatic default, None is valid.
    if default is not None and default != "auto":
        some.append(st.none())
    if isinstance(number, int):
        some += [st.floats(), st.just(float(number)), st.just(np.float32(number)), st.integers(max_value=-1)]
    elif name not in OF_ANY_SIGN:
        some += [st.floats(max_value=-1), st.integers(max_value=-1)]
    return st.one_of(some)


@st.composite
def wrong_arguments(draw, name, value, default):
    if not isinstance(value, tuple):
        return draw(wrong(name, value, default))
    if draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from([True, math.nan, "wide", 1.5, *([] if default is None else [None])]))
    i = draw(st.integers(0, len(value) - 1))
    # An entry has no default.
    return (*value[:i], draw(wrong(name, value[i], ())), *value[i + 1 :])


def check_refusals(path, name, value, default):
    @hypothesis.settings(max_examples=60)
    @hypothesis.given(wrong_arguments(name, value, default))
    def refuse(received):
        try:
            make(path, **{name: received})
        except (TypeError, ValueError) as error:
            assert name in str(error) and "Received" in str(error), f"an error that says little: {error}"
        else:
            pytest.fail(f"{path} takes {name}={received!r}")

    refuse()


def numpy_forms(value):
    """Returns the same number in NumPy types."""
    if isinstance(value, tuple):
        return [tuple(forms) for forms in zip(*map(numpy_forms, value), strict=True)]
    if isinstance(value, int):
        return [np.int64(value), np.int32(value), np.array(value)]
    return [np.float64(value), np.float32(value), np.array(value)]


def plain(value):
    return tuple(x.item() for x in value) if isinstance(value, tuple) else value.item()


def described(thing):
    """Describes an object in Python numbers, equally for equal objects."""
    if isinstance(thing, np.ndarray):
        return thing.tolist()
    if isinstance(thing, keras.Model) and not isinstance(thing, keras_gan.GAN):
        return [tuple(weight.shape) for weight in thing.weights]
    if not hasattr(thing, "get_config"):
        return {name: value for name, value in vars(thing).items() if is_number(value) or isinstance(value, np.generic)}
    return without_names(thing.get_config())


def without_names(config):
    """Returns a configuration without Keras's numbered names."""
    if isinstance(config, dict):
        return {key: without_names(value) for key, value in config.items() if key != "name"}
    return list(map(without_names, config)) if isinstance(config, (list, tuple)) else config


def check_numbers_of_numpy(path, name, value):
    for form in numpy_forms(value):
        found, expected = described(make(path, **{name: form})), described(make(path, **{name: plain(form)}))
        assert found == expected
        # NumPy integers and halves would fail here, and in a saved file.
        assert json.dumps(found, default=str) == json.dumps(expected, default=str)
        assert not any(isinstance(leaf, np.generic) for leaf in keras.tree.flatten(found))


@pytest.mark.parametrize(("path", "name", "value", "default"), list(walk()))
def test_numbers_and_what_is_none(path, name, value, default):
    check_refusals(path, name, value, default)
    if path not in SLOW:
        check_numbers_of_numpy(path, name, value)
