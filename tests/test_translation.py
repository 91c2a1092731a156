import logging
import math

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_gan
from keras_gan import Pix2Pix, architectures

SIZE = 16


def pairs(n=12, channels=3, target_channels=1, size=SIZE, scale=1):
    """Makes random sources, and targets that are their negative in gray, enlarged."""
    sources = np.random.default_rng(0).uniform(-1, 1, (n, size, size, channels)).astype("float32")
    targets = -sources.mean(-1, keepdims=True).repeat(target_channels, -1)
    return sources, targets.repeat(scale, 1).repeat(scale, 2)


def networks(channels=3, target_channels=1):
    return {
        "generator": architectures.unet_generator((SIZE, SIZE, channels), target_channels, width=4),
        "discriminator": architectures.patch_discriminator((SIZE, SIZE, channels + target_channels), width=4),
    }


def pix2pix(seed=0, ema=None, **options):
    keras.utils.set_random_seed(0)
    model = Pix2Pix(**networks(), ema=ema, seed=seed)
    model.compile(**options)
    return model


def pointwise(bias=0.0, weight=0.5):
    """A generator that multiplies each pixel, and a discriminator that sums the weighted channels of each."""
    generator = keras.Sequential([keras.Input((2, 2, 1)), layers.Conv2D(1, 1)])
    generator.set_weights([np.full((1, 1, 1, 1), weight), np.array([bias])])
    discriminator = keras.Sequential([keras.Input((2, 2, 2)), layers.Conv2D(1, 1)])
    discriminator.set_weights([np.array([[[[2.0], [3.0]]]]), np.array([0.5])])
    return {"generator": generator, "discriminator": discriminator}


def softplus(x):
    return np.log1p(np.exp(x))


# === The objectives ===


@pytest.mark.parametrize("simultaneous", [False, True])
def test_objectives_are_those_of_the_paper(simultaneous):
    model = Pix2Pix(**pointwise())
    model.compile(reconstruction_weight=10.0, simultaneous=simultaneous)
    source, target = np.random.default_rng(0).uniform(-1, 1, (2, 3, 2, 2, 1)).astype("float32")
    output = 0.5 * source
    # The discriminator sees the source first, then the target or the output.
    real, fake = (2 * source + 3 * image + 0.5 for image in (target, output))
    expected_d = softplus(-real).mean() + softplus(fake).mean()
    expected_g = softplus(-fake).mean() + 10 * np.abs(target - output).mean()
    if simultaneous:
        (d, _), (g, report) = model.simultaneous_objectives(source, target)
    else:
        d, (g, report) = model.discriminator_objective(source, target)[0], model.generator_objective(source, target)
    assert float(d) == pytest.approx(expected_d, rel=1e-5)
    assert float(g) == pytest.approx(expected_g, rel=1e-5)
    assert float(report["reconstruction"]) == pytest.approx(np.abs(target - output).mean(), rel=1e-5)


def test_each_player_moves_down_its_own_gradient():
    model = Pix2Pix(**pointwise())
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.0), reconstruction="mse", reconstruction_weight=2.0)
    source = np.full((1, 2, 2, 1), 0.5, "float32")
    target = np.full((1, 2, 2, 1), -0.25, "float32")
    model.fit(source, target, verbose=0)
    # d/dw [softplus(-(2 s + 3 (w s + b) + 0.5)) + 2 (w s + b - t)^2] at w = 0.5, b = 0.
    logit = 2 * 0.5 + 3 * 0.25 + 0.5
    slope = -3 / (1 + math.exp(logit)) + 4 * (0.25 + 0.25)
    weight, bias = (float(w.ravel()[0]) for w in model.generator.get_weights())
    assert weight == pytest.approx(0.5 - 0.1 * slope * 0.5, rel=1e-5)
    assert bias == pytest.approx(-0.1 * slope, rel=1e-5)
    np.testing.assert_array_equal(model.discriminator.get_weights()[1], [0.5])


@pytest.mark.parametrize(
    ("reconstruction", "expected"),
    [
        ("mse", 0.25),
        (keras.losses.MeanSquaredError(), 0.25),
        (keras.losses.MeanAbsoluteError(reduction="sum"), 0.5),
        (keras.losses.Huber(delta=0.1), 0.1 * (0.5 - 0.05)),
        (lambda target, output: ops.abs(target - output) ** 3, 0.125),
    ],
)
def test_any_loss_of_keras_reconstructs(reconstruction, expected):
    model = Pix2Pix(**pointwise(bias=0.5, weight=0.0))
    model.compile(reconstruction=reconstruction)
    images = np.zeros((2, 2, 2, 1), "float32")
    assert float(model.reconstruct(images, images + 0.5)) == pytest.approx(expected, rel=1e-5)


def test_penalties_hold_the_source_fixed():
    model = Pix2Pix(**pointwise())
    model.compile(penalties=[keras_gan.penalties.R1(4.0)], generator_penalties=[keras_gan.penalties.ModeSeeking(0.0)])
    source, target = np.random.default_rng(0).uniform(-1, 1, (2, 3, 2, 2, 1)).astype("float32")
    _, report = model.discriminator_objective(source, target)
    # The mean logit of 4 pixels has slope 3 / 4 in each of the target's; the source's weight 2 is not included.
    assert float(report["penalties"]["r1"]) == pytest.approx(4.0 / 2 * 4 * (3 / 4) ** 2, rel=1e-5)

    seen = {}

    def watch(generator, latents, given, fake, seed=None):
        seen.update(latents=latents, given=given, same=ops.max(ops.abs(generator(latents, given) - fake)))
        return ops.zeros(())

    model.compile(generator_penalties=[watch])
    model.generator_objective(ops.convert_to_tensor(source), target)
    np.testing.assert_array_equal(seen["latents"], source)
    assert seen["given"] is None and float(seen["same"]) == 0


def test_one_draw_augments_source_and_target_alike():
    class Shift(keras_gan.augmentation.Augmentation):
        num_uniforms = 1

        def transform(self, images, uniform):
            return images + uniform[:, :, None, None]

    seen = []

    class Watch(keras.layers.Layer):
        def call(self, image):
            seen.append(np.array(image))
            return image

        def compute_output_shape(self, shape):
            return shape

    discriminator = keras.Sequential([keras.Input((2, 2, 2)), Watch(), layers.Conv2D(1, 1)])
    model = Pix2Pix(pointwise()["generator"], discriminator)
    model.compile(augmentation=Shift(), run_eagerly=True)
    source, target = np.random.default_rng(0).uniform(-1, 1, (2, 3, 2, 2, 1)).astype("float32")
    seen.clear()
    model.discriminator_objective(source, target)
    for found, image in zip(seen, (target, 0.5 * source), strict=True):
        shift = found[..., :1] - source
        np.testing.assert_allclose(found[..., 1:] - image, shift, atol=1e-6)
        # One number for each example.
        assert np.ptp(shift, axis=(1, 2, 3)).max() < 1e-6 < np.ptp(shift)


@pytest.mark.parametrize("takes_pair", [False, True])
def test_a_larger_target_is_judged_beside_the_source_enlarged(takes_pair):
    generator = keras.Sequential([keras.Input((2, 2, 1)), layers.UpSampling2D(2), layers.Conv2D(3, 1)])
    if takes_pair:
        source, target = keras.Input((4, 4, 1)), keras.Input((4, 4, 3))
        joined = layers.Concatenate()([source, target])
        discriminator = keras.Model([source, target], layers.Conv2D(1, 1)(joined))
    else:
        discriminator = keras.Sequential([keras.Input((4, 4, 4)), layers.Conv2D(1, 1)])
    discriminator.set_weights([np.array([[[[1.0], [0.0], [0.0], [0.0]]]]), np.array([0.0])])
    model = Pix2Pix(generator, discriminator)
    model.compile()
    assert model.source_shape == (2, 2, 1) and model.data_shape == (4, 4, 3)
    sources, targets = pairs(2, 1, 3, size=2, scale=2)
    _, report = model.discriminator_objective(sources, targets)
    np.testing.assert_allclose(report["real_logits"], sources.repeat(2, 1).repeat(2, 2), atol=1e-6)
    model.fit(sources, targets, verbose=0)
    assert model.predict(sources, verbose=0).shape == (2, 4, 4, 3)


# === Training ===


def test_it_learns_a_translation_and_measures_it():
    # In blocks of 4x4 pixels: noise of single pixels hardly passes a network that halves its maps.
    sources, targets = (x.repeat(4, 1).repeat(4, 2) for x in pairs(64, size=4))
    adam = [keras.optimizers.Adam(2e-3, beta_1=0.5) for _ in range(2)]
    model = pix2pix(generator_optimizer=adam[0], discriminator_optimizer=adam[1])
    before = model.evaluate(sources, targets, verbose=0, return_dict=True)
    history = model.fit(sources, targets, batch_size=8, epochs=12, verbose=0).history
    after = model.evaluate(sources, targets, verbose=0, return_dict=True)
    assert after["mae"] < 0.5 * before["mae"] and after["psnr"] > before["psnr"] + 5 and after["ssim"] > 0.4
    assert history["relative_error"][-1] < 0.6 < history["relative_error"][0]
    output = model.predict(sources, verbose=0)
    assert after["mae"] == pytest.approx(np.abs(output - targets).mean(), rel=1e-4)
    assert after["reconstruction_loss"] == pytest.approx(after["mae"], rel=1e-4)
    assert model.metrics_names == list(after) or sorted(model.metrics_names) == sorted(after)


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        ("float32", {"loss": "relativistic", "penalties": [keras_gan.penalties.R1(), keras_gan.penalties.R2()]}),
        ("float32", {"loss": "hinge", "augmentation": keras_gan.augmentation.AdaptiveAugmentation()}),
        ("mixed_float16", {"loss": "least_squares", "augmentation": keras_gan.augmentation.DiffAugment()}),
        pytest.param(
            "mixed_bfloat16",
            {"loss": "wasserstein", "penalties": [keras_gan.penalties.GradientPenalty()]},
            marks=pytest.mark.long,
        ),
    ],
)
def test_every_loss_penalty_and_policy_trains(policy, options):
    sources, targets = pairs(8)
    keras.config.set_dtype_policy(policy)
    try:
        model = pix2pix(ema=0.9, **options)
    finally:
        keras.config.set_dtype_policy("float32")
    history = model.fit(sources, targets, batch_size=4, verbose=0, validation_data=(sources, targets)).history
    finite = {name: math.isfinite(values[0]) for name, values in history.items() if "norm" not in name}
    assert all(finite.values()), finite
    assert model.predict(sources, verbose=0).dtype == np.float32


def test_a_saved_model_goes_on_as_the_one_that_was_saved(tmp_path):
    sources, targets = pairs()
    options = {
        "penalties": [keras_gan.penalties.R1(1.0)],
        "augmentation": keras_gan.augmentation.DiffAugment(),
        "loss": "hinge",
        "reconstruction": keras.losses.MeanSquaredError(),
        "reconstruction_weight": 7.0,
        "simultaneous": True,
    }
    model = pix2pix(ema=0.9, **options)
    model.fit(sources, targets, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.reconstruction_weight == 7.0 and loaded.simultaneous
    assert [type(metric).__name__ for metric in loaded.evaluation_metrics] == ["MeanAbsoluteError", "PSNR", "SSIM"]
    assert float(loaded.reconstruct(np.zeros((1, 1)), np.full((1, 1), 3.0))) == pytest.approx(9)
    for each in (model, loaded):
        each.fit(sources, targets, batch_size=4, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_outputs_are_those_of_the_average():
    sources, targets = pairs()
    model = pix2pix(ema=0.5)
    model.fit(sources, targets, batch_size=4, verbose=0)
    averaged, raw = (ops.convert_to_numpy(n(sources, training=False)) for n in (model.ema_generator, model.generator))
    np.testing.assert_allclose(model.predict(sources, verbose=0), averaged, atol=1e-6)
    assert np.abs(averaged - raw).max() > 1e-4 and model.best_generator is model.ema_generator


# === Errors ===


def _alone():
    return architectures.patch_discriminator((SIZE, SIZE, 1), width=4)


def _conv(shape, filters, strides=1):
    return keras.Sequential([keras.Input(shape), layers.Conv2D(filters, 2, strides, padding="same")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: {"discriminator": _alone()}, r"never the target alone.*\(None, 16, 16, 1\), the target alone"),
        (lambda: {"discriminator": _conv((16, 16, 5), 1)}, r"shape \(batch, 16, 16, 4\).*\(None, 16, 16, 5\)\.$"),
        (lambda: {"generator": _conv((16, 16, 3), 1, 2)}, r"same integer factor.*outputs of \(8, 8, 1\)"),
        (lambda: {"generator": _conv((16, 24, 3), 1, (1, 2))}, r"same integer factor"),
        (lambda: {"generator": _conv((None, None, 3), 1)}, r"of a known size"),
        (lambda: {"generator": architectures.mlp_generator((4,), 3, units=(4,))}, r"one image of a known size"),
        (lambda: {"discriminator": _conv((16, 16, 4), 2)}, r"logits of shape"),
        (lambda: {"ema": 1.0}, r"ema, the momentum"),
    ],
)
def test_networks_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Pix2Pix(**{**networks(), **change()})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"reconstruction": "nothing"}, TypeError, r"reconstruction must be a keras.losses.Loss.*'nothing'"),
        ({"reconstruction": 3}, TypeError, r"reconstruction must be"),
        ({"reconstruction_weight": -1}, ValueError, r"reconstruction_weight must be a finite number >= 0"),
        ({"loss": "nothing"}, ValueError, r"loss"),
        ({"penalties": [keras.losses.Huber()]}, TypeError, r"penalties must be objects"),
    ],
)
def test_options_out_of_place_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        pix2pix(**options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, None), r"y must give the targets\. Received: no targets"),
        (lambda x, y: (y, x), r"x must have the shape of the source.*swapped: x is the source"),
        (lambda x, y: (127.5 * x + 127.5, y), r"x must lie in \[-1, 1\], the range of sources.*x / 127.5 - 1"),
        (lambda x, y: (x, 127.5 * y + 127.5), r"y must lie in \[-1, 1\], the range of the generator's tanh"),
        (lambda x, y: (x[:4], y), r"y must have as many examples as x, 4: .*Received: 12"),
        (lambda x, y: (x[:, :8], y), r"x must have the shape"),
        (lambda x, y: (x, np.where(y > 0, np.nan, y)), r"y must be finite"),
        (lambda x, y: (x[:0], y[:0]), r"at least one example"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_data_that_can_not_be_trained_on_are_refused(change, message, stream):
    x, y = change(*pairs())
    if stream:
        if y is None or len(x) != len(y) or len(x) == 0:
            pytest.skip("no stream holds such")
        import tensorflow as tf

        x, y = tf.data.Dataset.from_tensor_slices((x, y)).batch(4), None
    with pytest.raises(ValueError, match=message):
        pix2pix().fit(x, y, verbose=0)


def test_equal_sources_and_targets_are_warned_of(caplog):
    sources, targets = pairs(target_channels=3)
    model = Pix2Pix(**networks(target_channels=3))
    model.compile()
    with caplog.at_level(logging.WARNING, "keras_gan"):
        model.evaluate(sources, targets, verbose=0)
        assert "x and y are equal" not in caplog.text
        model.evaluate(sources, sources, verbose=0)
    assert "x and y are equal" in caplog.text


# === Watching ===


def test_the_grid_has_source_output_and_target_side_by_side(tmp_path):
    from PIL import Image

    sources, targets = pairs(5)
    model = pix2pix()
    grid = keras_gan.callbacks.SampleGrid(tmp_path, n=4, columns=2, data=(sources, targets))
    model.fit(sources, targets, batch_size=4, verbose=0, callbacks=[grid])
    picture = np.array(Image.open(tmp_path / "samples" / "epoch_0001.png"))
    one = 3 * SIZE + 2
    assert picture.shape == (2 * SIZE + 2, 2 * one + 2, 3)
    shown = keras_gan.images.to_uint8(np.stack([sources[1], *[x[1].repeat(3, -1) for x in (targets,)]]))
    second = picture[:SIZE, one + 2 :]
    np.testing.assert_array_equal(second[:, :SIZE], shown[0])
    np.testing.assert_array_equal(second[:, 2 * SIZE + 2 :], shown[1])
    output = keras_gan.images.to_uint8(model.predict(sources[1:2], verbose=0))[0].repeat(3, -1)
    assert np.abs(second[:, SIZE + 1 : 2 * SIZE + 1].astype(int) - output).max() <= 1


def test_a_grid_of_pairs_takes_streams_and_says_what_it_needs(tmp_path):
    import tensorflow as tf

    sources, targets = pairs(6)
    stream = tf.data.Dataset.from_tensor_slices((sources, targets)).batch(4)
    fit = {"x": sources, "y": targets, "batch_size": 4, "verbose": 0}
    pix2pix().fit(**fit, callbacks=[keras_gan.callbacks.SampleGrid(tmp_path, n=64, data=stream)])
    assert (tmp_path / "samples" / "epoch_0001.png").exists()
    for options in ({}, {"data": sources}):
        with pytest.raises(ValueError, match=r"SampleGrid draws images.*draws pairs: pass SampleGrid\(\.\.\., data="):
            pix2pix().fit(**fit, callbacks=[keras_gan.callbacks.SampleGrid(tmp_path, **options)])


def test_alarms_tell_an_output_that_ignores_or_copies_its_source():
    still = {"generator_optimizer": keras.optimizers.SGD(0.0), "discriminator_optimizer": keras.optimizers.SGD(0.0)}
    sources, targets = pairs(8, 1, size=2)
    names = {}
    for kind, generator in {"ignores": {"weight": 0.0, "bias": 0.3}, "copies": {"weight": 0.99}, "honest": {}}.items():
        model = Pix2Pix(**pointwise(**generator))
        if kind == "honest":
            model.generator.set_weights([np.full((1, 1, 1, 1), -0.9), np.array([0.0])])
        model.compile(**{name: type(optimizer)(0.0) for name, optimizer in still.items()})
        health = keras_gan.callbacks.TrainingHealth(patience=1)
        model.fit(sources, targets, verbose=0, epochs=2, callbacks=[health])
        names[kind] = {name for _, name, _ in health.alarms}
    assert names["ignores"] >= {"output_ignores_source", "reconstruction_stands_still"}
    assert names["copies"] >= {"output_copies_source"} and "output_ignores_source" not in names["copies"]
    assert not names["honest"]
