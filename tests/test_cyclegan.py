import logging
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_gan
from keras_gan import CycleGAN, architectures
from keras_gan.checks.streams import first_examples
from keras_gan.color_matching import ColorMatching
from keras_gan.image_pool import ImagePool

SIZE = 16


def domains(n=12, channels_a=3, channels_b=3, size=SIZE):
    """Random images of A, dark, and of B, bright."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 0.2, (n, size, size, channels_a)), rng.uniform(-0.2, 1, (n, size, size, channels_b))
    return a.astype("float32"), b.astype("float32")


def networks(channels_a=3, channels_b=3):
    """Makes small networks with a receptive field of several pixels."""

    def generator(channels, others):
        last = layers.Conv2D(others, 3, padding="same", activation="tanh", dtype="float32")
        return keras.Sequential([keras.Input((SIZE, SIZE, channels)), layers.Conv2D(4, 3, padding="same"), last])

    def discriminator(channels):
        return architectures.patch_discriminator((SIZE, SIZE, channels), width=2, receptive_field=16)

    return {
        "generator_ab": generator(channels_a, channels_b),
        "generator_ba": generator(channels_b, channels_a),
        "discriminator_a": discriminator(channels_a),
        "discriminator_b": discriminator(channels_b),
    }


def cyclegan(channels_a=3, channels_b=3, ema=None, pool_size=5, match_steps=0, **options):
    keras.utils.set_random_seed(0)
    model = CycleGAN(**networks(channels_a, channels_b), ema=ema, seed=0, pool_size=pool_size, match_steps=match_steps)
    model.compile(**options)
    return model


def pointwise(ab=(0.5, 0.1), ba=(-0.25, 0.2), activation=None):
    """Makes generators and discriminators that are affine in each pixel."""

    def network(weight, bias, activation=activation):
        model = keras.Sequential([keras.Input((2, 2, 1)), layers.Conv2D(1, 1, activation=activation)])
        model.set_weights([np.full((1, 1, 1, 1), weight), np.array([bias])])
        return model

    names = "generator_ab", "generator_ba", "discriminator_a", "discriminator_b"
    return {
        name: network(*values)
        for name, values in zip(names, (ab, ba, (2.0, 0.5, None), (3.0, -0.25, None)), strict=True)
    }


def same(model, other):
    for x, y in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


# === The objectives ===


@pytest.mark.parametrize("identity_weight", [0.0, 0.25])
def test_objectives_are_those_of_the_paper(identity_weight):
    model = CycleGAN(**pointwise())
    model.compile(cycle="mse", cycle_weight=4.0, identity_weight=identity_weight)
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, 3, 2, 2, 1)).astype("float32")

    def to_b(x):
        return 0.5 * x + 0.1

    def to_a(x):
        return -0.25 * x + 0.2

    def judge_a(x):
        return 2 * x + 0.5

    def judge_b(x):
        return 3 * x - 0.25

    def square(x):
        return np.square(x).mean()

    cycles = square(to_a(to_b(a)) - a), square(to_b(to_a(b)) - b)
    identities = square(to_a(a) - a), square(to_b(b) - b)
    adversarial = square(judge_a(to_a(b)) - 1) / 2, square(judge_b(to_b(a)) - 1) / 2
    expected = sum(adversarial) + 4 * sum(cycles) + 4 * identity_weight * sum(identities)
    g, report = model.generator_objective(a, b)
    assert float(g) == pytest.approx(expected, rel=1e-5)
    for i, domain in enumerate("ab"):
        assert float(report[domain]["loss"]) == pytest.approx(adversarial[i], rel=1e-5)
        assert float(report[domain]["cycle_loss"]) == pytest.approx(cycles[i], rel=1e-5)
        if identity_weight:
            assert float(report[domain]["identity_loss"]) == pytest.approx(identities[i], rel=1e-5)
        else:
            assert "identity_loss" not in report[domain]
    # Each discriminator gets its own fakes.
    d, _ = model.discriminator_objective(a, b, to_a(b), to_b(a))
    found = [
        square(judge(x) - 1) / 2 + square(judge(y)) / 2
        for judge, x, y in ((judge_a, a, to_a(b)), (judge_b, b, to_b(a)))
    ]
    assert float(d) == pytest.approx(sum(found), rel=1e-5)


def test_the_identity_loss_begins_with_images_in_the_colors_of_the_other_domain():
    model = CycleGAN(**pointwise(), match_steps=8)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    a, b = domains(7, 1, 1, size=2)
    tensors = [ops.convert_to_tensor(x) for x in (a, b)]
    start, _ = model.generator_objective(*tensors)
    for steps in (2, 4, 6, 8, 10):
        # The last batch is smaller; each image counts the same.
        model.fit(a, b, batch_size=4, verbose=0)
        assert float(model.colors.count) == 7 * steps / 2
        logs = model.evaluate(a, b, verbose=0, return_dict=True)
        _, report = model.generator_objective(*tensors)
        for domain, real, other, (weight, bias) in (("a", a, b, (-0.25, 0.2)), ("b", b, a, (0.5, 0.1))):
            matched = (real - real.mean()) / real.std() * other.std() + other.mean()
            source = real + max(0, 1 - steps / 8) * (matched - real)
            expected = np.abs(weight * source + bias - real).mean()
            assert float(report[domain]["identity_loss"]) == pytest.approx(expected, rel=1e-4)
            assert logs[f"identity_loss_{domain}"] == pytest.approx(expected, rel=1e-4)
            assert steps == 10 or abs(np.abs(weight * matched + bias - real).mean() - expected) > 1e-3
    # Before the first step and after the last of them: as without.
    without = CycleGAN(**pointwise())
    without.compile()
    model.compile()
    expected = float(without.generator_objective(*tensors)[0])
    assert float(start) == pytest.approx(expected, rel=1e-6)
    assert float(model.generator_objective(*tensors)[0]) == pytest.approx(expected, rel=1e-6)
    assert without.colors is None


def test_each_channel_gets_the_mean_and_deviation_of_the_other_set():
    rng = np.random.default_rng(0)
    sets = [rng.normal(rng.normal(size=3), rng.uniform(0.2, 2, 3), (5, 4, 4, 3)) for _ in range(2)]
    tensors = [ops.convert_to_tensor(x, "float32") for x in sets]
    colors = ColorMatching(3, fading_steps=10**9)
    assert np.isfinite(ops.convert_to_numpy(colors.recolor(tensors[0], first=True))).all()
    for part in (slice(2), slice(2, 5)):
        colors([x[part] for x in tensors])
    for i in range(2):
        found = ops.convert_to_numpy(colors.recolor(tensors[i], first=i == 0))
        np.testing.assert_allclose(found.mean((0, 1, 2)), sets[1 - i].mean((0, 1, 2)), atol=1e-5)
        np.testing.assert_allclose(found.std((0, 1, 2)), sets[1 - i].std((0, 1, 2)), rtol=1e-4)


def test_without_an_identity_loss_no_colors_are_counted():
    model = CycleGAN(**pointwise(), match_steps=8)
    model.compile(identity_weight=0)
    model.fit(*domains(4, 1, 1, size=2), batch_size=4, verbose=0)
    assert float(model.colors.count) == 0


def test_discriminators_judge_what_was_made_before_the_generators_moved():
    still, moving = pointwise(), pointwise()
    logs = []
    for nets, rate in ((still, 0.0), (moving, 0.05)):
        model = CycleGAN(**nets, pool_size=0)
        model.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(0.0))
        logs.append(model.fit(*domains(3, 1, 1, size=2), verbose=0).history)
    assert np.abs(moving["generator_ab"].get_weights()[0] - still["generator_ab"].get_weights()[0]).max() > 1e-3
    for name in ("discriminator_loss_a", "fake_score_b"):
        assert logs[1][name] == pytest.approx(logs[0][name], rel=1e-6)
    # And only the generators have changed.
    np.testing.assert_array_equal(moving["discriminator_a"].get_weights()[0], [[[[2.0]]]])


def test_penalties_of_both_domains_have_a_state_of_their_own():
    model = CycleGAN(**pointwise())
    penalties = [keras_gan.penalties.LeCam(decay=0.0)]
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), penalties=penalties)
    a, b = domains(4, 1, 1, size=2)
    model.fit(a, b, batch_size=4, shuffle=False, verbose=0)
    (of_a,), (of_b,) = model.game_a.penalties.penalties, model.game_b.penalties.penalties
    assert of_b is penalties[0] and float(of_a.real_mean) == pytest.approx((2 * a + 0.5).mean(), rel=1e-4)
    assert float(of_b.real_mean) == pytest.approx((3 * b - 0.25).mean(), rel=1e-4)


# === The pool ===


def exchange(pool, fakes, numbers):
    """Implements the pool of the paper's code, one image after the other."""
    size, kept, shown = pool
    for fake, (coin, place) in zip(fakes, numbers, strict=True):
        if len(kept) < size:
            kept.append(fake)
            shown.append(fake)
        elif coin < 0.5:
            i = int(place * size)
            shown.append(kept[i])
            kept[i] = fake
        else:
            shown.append(fake)
    return shown


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_a_pool_does_what_one_image_after_the_other_does(batch, monkeypatch):
    rng = np.random.default_rng(0)
    drawn = []

    def uniform(shape, **_):
        drawn.extend(rng.uniform(size=shape).astype("float32"))
        return ops.convert_to_tensor(np.array(drawn[-shape[0] :]))

    monkeypatch.setattr(keras.random, "uniform", uniform)
    pool, kept, shown = ImagePool(5, (1, 1, 1)), [], []
    images = np.arange(1, 25, dtype="float32")
    for i in range(0, 24, batch):
        found = pool(images[i : i + batch].reshape(-1, 1, 1, 1), seed=None)
        assert found.shape == (batch, 1, 1, 1)
        shown.extend(np.ravel(found))
        assert int(pool.count) == min(i + batch, 5)
    assert shown == exchange((5, kept, []), images, drawn)
    np.testing.assert_array_equal(np.ravel(pool.images), kept)


def test_half_of_what_is_shown_is_of_former_steps_and_all_places_are_taken():
    pool, seed = ImagePool(10, (1, 1, 1)), keras.random.SeedGenerator(0)
    ages, seen = [], set()
    for step in range(200):
        shown = np.ravel(pool(np.full((4, 1, 1, 1), step, "float32"), seed=seed))
        if step >= 10:
            ages.extend(step - shown)
            seen |= {i for i, image in enumerate(np.ravel(pool.images)) if image == step}
    # Sometimes one is exchanged for another of its own step.
    assert 0.42 < np.mean(np.array(ages) > 0) < 0.55 and seen == set(range(10))
    # Two of 10 images leave per step: their mean age is 5 steps.
    assert 3.5 < np.mean([age for age in ages if age > 0]) < 7


def test_training_fills_the_pools_with_fakes_and_shows_them():
    a, b = domains(8)
    model = cyclegan(generator_optimizer=keras.optimizers.SGD(0.0), discriminator_optimizer=keras.optimizers.SGD(0.0))
    model.fit(a[:4], b[:4], batch_size=4, verbose=0, shuffle=False)
    assert int(model.pool_a.count) == int(model.pool_b.count) == 4
    np.testing.assert_allclose(model.pool_b.images[:4], model.translate(a[:4]), atol=1e-6)
    np.testing.assert_allclose(model.pool_a.images[:4], model.translate(b[:4], to="a"), atol=1e-6)
    assert not np.any(model.pool_a.images[4:])
    # They are used: the same step without them has another loss once the pool is full.
    with_pool = model.fit(a[4:], b[4:], batch_size=4, verbose=0, epochs=4).history["fake_score_b"]
    without = cyclegan(
        pool_size=0, generator_optimizer=keras.optimizers.SGD(0.0), discriminator_optimizer=keras.optimizers.SGD(0.0)
    )
    assert without.pool_a is None
    other = without.fit(a[4:], b[4:], batch_size=4, verbose=0, epochs=4).history["fake_score_b"]
    assert np.ptp(other) < 1e-6 < 1e-5 < np.ptp(with_pool)


# === Training ===


def test_it_moves_images_to_their_other_domain():
    a, b = domains(32)
    adam = [keras.optimizers.Adam(1e-2, beta_1=0.5) for _ in range(2)]
    model = cyclegan(generator_optimizer=adam[0], discriminator_optimizer=adam[1], identity_weight=0.0)
    before = model.evaluate(a, b, verbose=0, return_dict=True)
    model.fit(a, b, batch_size=8, epochs=12, verbose=0)
    after = model.evaluate(a, b, verbose=0, return_dict=True)
    assert abs(model.translate(a).mean() - b.mean()) < 0.25 and abs(model.translate(b, to="a").mean() - a.mean()) < 0.25
    assert after["cycle_loss_a"] < 0.6 * before["cycle_loss_a"] and after["cycle_loss_b"] < 0.6 * before["cycle_loss_b"]


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        ("float32", {"loss": "relativistic", "penalties": [keras_gan.penalties.R1()], "identity_weight": 0}),
        ("float32", {"loss": "hinge", "augmentation": keras_gan.augmentation.AdaptiveAugmentation()}),
        ("mixed_float16", {"generator_penalties": [keras_gan.penalties.ModeSeeking()]}),
    ],
)
def test_losses_penalties_and_policies_train(policy, options):
    keras.config.set_dtype_policy(policy)
    try:
        model = cyclegan(ema=0.9, **options)
    finally:
        keras.config.set_dtype_policy("float32")
    history = model.fit(*domains(8), batch_size=4, verbose=0).history
    assert sorted(history) == sorted(model.log_names())
    finite = {name: math.isfinite(values[0]) for name, values in history.items() if "norm" not in name}
    assert all(finite.values()), finite
    assert ("generator_loss_scale" in history) == (policy == "mixed_float16")
    assert model.translate(domains()[0]).dtype == np.float32


def test_channels_may_differ():
    a, b = domains(8, 1, 3)
    model = cyclegan(1, 3, metrics=[keras_gan.metrics.FrechetDistance()])
    assert model.identity_weight == 0 and cyclegan().identity_weight == 0.5
    logs = model.fit(a, b, batch_size=4, verbose=0, validation_data=(a, b)).history
    assert "identity_loss_a" not in logs and 0.05 < logs["change_b"][0] < 20
    assert logs["val_frechet_distance_a"][0] > 0 < logs["val_frechet_distance_b"][0]
    assert model.translate(a).shape == b.shape and model.translate(b, to="a").shape == a.shape


def test_metrics_are_of_each_domain(caplog):
    a, b = domains()
    model = cyclegan(metrics=[keras.metrics.MeanAbsoluteError("mae"), keras_gan.metrics.PSNR()])
    logs = model.evaluate(a, b, batch_size=5, verbose=0, return_dict=True)
    for domain, real, source in (("a", a, b), ("b", b, a)):
        error = np.abs(model.translate(source, to=domain) - real).mean()
        assert logs[f"mae_{domain}"] == pytest.approx(error, rel=1e-4)
        assert 3 < logs[f"psnr_{domain}"] < 15
    assert abs(logs["mae_a"] - logs["mae_b"]) > 1e-3
    assert sorted(model.metrics_names) == sorted(logs)
    back = model.translate(model.translate(a), to="a")
    assert logs["cycle_loss_a"] == pytest.approx(np.abs(back - a).mean(), rel=1e-4)
    same_domain = np.abs(model.generator_ba(a) - a).mean()
    assert logs["identity_loss_a"] == pytest.approx(same_domain, rel=1e-4)


def test_a_saved_model_goes_on_as_the_one_that_was_saved(tmp_path):
    a, b = domains()
    options = {
        "penalties": [keras_gan.penalties.LeCam()],
        "augmentation": keras_gan.augmentation.DiffAugment(),
        "loss": "hinge",
        "cycle": keras.losses.MeanSquaredError(),
        "cycle_weight": 7.0,
        "identity_weight": 0.25,
        "metrics": [keras_gan.metrics.SSIM(), keras_gan.metrics.KernelDistance()],
    }
    model = cyclegan(ema=0.9, match_steps=8, **options)
    model.fit(a, b, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (loaded.cycle_weight, loaded.identity_weight, loaded.pool_size) == (7.0, 0.25, 5)
    expected = {f"{name}_{domain}" for name in ("ssim", "kernel_distance", "kernel_distance_error") for domain in "ab"}
    assert set(loaded.metrics_names) == set(model.metrics_names) > expected
    assert np.abs(loaded.pool_a.images).min() > 0 and int(loaded.pool_b.count) == 5
    assert float(loaded.colors.count) == 12 and float(loaded.colors.mean[1, 0]) > 0.2
    for each in (model, loaded):
        each.fit(a, b, batch_size=4, shuffle=False, verbose=0)
    same(model, loaded)


def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(tmp_path):
    class Cut(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == 5:
                raise KeyboardInterrupt

    a, b = domains()
    expected, cut, resumed = (cyclegan(ema=0.9, match_steps=8) for _ in range(3))
    unpaired = keras_gan.datasets.load_unpaired(a, b[:7], batch_size=4, seed=0, flip=True)
    fit = {"x": unpaired, "epochs": 3, "verbose": 0}
    expected.fit(**fit)

    def backup():
        return keras_gan.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=2)

    with pytest.raises(KeyboardInterrupt):
        cut.fit(**fit, callbacks=[backup(), Cut()])
    resumed.fit(**fit, callbacks=[backup()])
    assert int(expected.optimizer.iterations) == int(resumed.optimizer.iterations) == 9
    assert int(resumed.pool_a.count) == 5 and float(resumed.colors.count) == 36
    same(expected, resumed)


def test_batches_of_two_lengths_are_cut_to_the_shorter():
    a, b = domains(14)
    sets = [tf.data.Dataset.from_tensor_slices(x).batch(4) for x in (a[:10], b)]
    model = cyclegan(pool_size=50, metrics=[keras_gan.metrics.PSNR()])
    for data, seen in ((tf.data.Dataset.zip(*sets), 10), (tf.data.Dataset.zip(*sets[::-1]), 20)):
        history = model.fit(data, validation_data=data, verbose=0).history
        assert int(model.pool_a.count) == int(model.pool_b.count) == seen
        assert all(math.isfinite(value) for values in history.values() for value in values)
    equal = tf.data.Dataset.from_tensor_slices((b[:10], a[:10])).batch(4)
    found, expected = (model.evaluate(x, verbose=0, return_dict=True) for x in (data, equal))
    for name in ("psnr_a", "psnr_b"):
        assert found[name] == pytest.approx(expected[name], rel=1e-5)


def test_outputs_are_those_of_the_averages():
    a, b = domains()
    model = cyclegan(ema=0.5, metrics=[keras.metrics.MeanAbsoluteError("mae")])
    model.fit(a, b, batch_size=4, verbose=0)
    found = model.evaluate(a, b, verbose=0, return_dict=True)
    for to, source, target in (("b", a, b), ("a", b, a)):
        generator = model.generator_to(to)
        averaged, raw = (ops.convert_to_numpy(n(source, training=False)) for n in (model.best(generator), generator))
        output = model.translate(source, to=to, batch_size=5)
        np.testing.assert_allclose(output, averaged, atol=1e-6)
        assert np.abs(averaged - raw).max() > 1e-5
        assert found[f"mae_{to}"] == pytest.approx(np.abs(output - target).mean(), rel=1e-4)
    np.testing.assert_allclose(model.predict(a, verbose=0), model.translate(a), atol=1e-6)


@pytest.mark.parametrize("to", ["a", "b"])
def test_each_direction_is_exported(to, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    a, b = domains(8, 1, 3)
    model = cyclegan(1, 3, ema=0.5, metrics=[keras_gan.metrics.PSNR()])
    model.fit(a, b, batch_size=4, verbose=0)
    source, target = (a, b) if to == "b" else (b, a)
    path = tmp_path / "file.tflite"
    # Each direction takes its own part of batches.
    batches = [(a[:4], b[:4]), (a[4:], b[4:])]
    report = model.export(path, to=to, data=iter(batches) if to == "a" else (a, b))
    assert set(report.metrics) == {f"psnr_{to}"} and "2 steps, LeastSquares" in report.card["training"]
    error = np.square(model.translate(source, to=to) - target).mean(axis=(1, 2, 3))
    assert next(iter(report.metrics.values()))[0] == pytest.approx(np.mean(10 * np.log10(4 / error)), rel=1e-3)
    assert f"image float32 (1, 16, 16, {source.shape[-1]})" in report.signatures["translate"]
    translate = Interpreter(model_path=str(path)).get_signature_runner("translate")
    found = np.concatenate([translate(image=x[None])["image"] for x in source])
    np.testing.assert_allclose(found, model.translate(source, to=to), atol=1e-5)
    # Or only images of its source domain.
    assert model.export(path, to=to, data=source).metrics == {}


# === Errors ===


def _conv(shape, filters, strides=1, **options):
    return keras.Sequential([keras.Input(shape), layers.Conv2D(filters, 2, strides, padding="same", **options)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"generator_ab": lambda: _conv((16, 16, 3), 1)},
            r"generator_ab must make what generator_ba takes.*makes images of shape \(16, 16, 1\)",
        ),
        ({"generator_ba": lambda: _conv((None, None, 3), 3)}, r"generator_ba must take one image of a known size"),
        (
            {
                "generator_ab": lambda: _conv((32, 32, 3), 3, 2),
                "generator_ba": lambda: keras.Sequential([keras.Input((16, 16, 3)), layers.UpSampling2D(2)]),
            },
            r"must take images of one size",
        ),
        ({"generator_ba": lambda: _conv((16, 16, 3), 3)}, r"must end in the same activation.*tanh and linear"),
        ({"discriminator_b": lambda: _conv((16, 16, 6), 1)}, r"discriminator_b must judge images alone.*16, 16, 6"),
        ({"discriminator_a": lambda: _conv((16, 16, 3), 2)}, r"discriminator_a must return logits of shape"),
        (
            {"discriminator_a": lambda: _conv((16, 16, 3), 1, activation="sigmoid")},
            r"discriminator_a must end in a linear",
        ),
        ({"ema": lambda: 1.0}, r"ema, the momentum"),
        ({"pool_size": lambda: -1}, r"pool_size must be an integer >= 0"),
        ({"match_steps": lambda: -1}, r"match_steps must be an integer >= 0"),
    ],
)
def test_networks_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        CycleGAN(**{**networks(), **{name: make() for name, make in change.items()}})


def test_colors_of_other_channels_are_not_matched():
    with pytest.raises(ValueError, match=r"match_steps must be 0 if A and B differ in channels.*16, 16, 1"):
        CycleGAN(**networks(1, 3), match_steps=9)


def test_a_network_in_two_places_is_refused():
    nets = networks()
    with pytest.raises(ValueError, match=r"generator_ab and generator_ba must not share weights"):
        CycleGAN(**{**nets, "generator_ba": nets["generator_ab"]})
    with pytest.raises(TypeError, match=r"discriminator_b must be a keras.Model"):
        CycleGAN(**{**nets, "discriminator_b": 3})


class Nameless(keras.metrics.Metric):
    def __init__(self):
        super().__init__(name="nameless")

    def update_state(self, real, fake):
        pass

    def result(self):
        return 0.0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cycle": "nothing"}, TypeError, r"cycle must be a keras.losses.Loss.*'nothing'"),
        ({"cycle_weight": -1}, ValueError, r"cycle_weight must be a finite number >= 0"),
        ({"identity_weight": -1}, ValueError, r"identity_weight must be a finite number >= 0"),
        (
            {"identity_weight": 0.5},
            ValueError,
            r"identity_weight must be 0 if A and B differ in channels.*16, 16, 1",
        ),
        ({"loss": "nothing"}, ValueError, r"loss"),
        ({"penalties": [keras.losses.Huber()]}, TypeError, r"penalties must be objects"),
        ({"metrics": ["mae"]}, TypeError, r"metrics must be keras.metrics.Metric"),
        ({"metrics": [Nameless()]}, TypeError, r"metrics are made twice.*Nameless must take `name`"),
    ],
)
def test_options_out_of_place_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        CycleGAN(**networks(1, 3)).compile(**options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, None), r"y must give the images of B\. Received: no images of B.*load_unpaired"),
        (lambda x, y: (y, x), r"x must have the shape of an image of A.*swapped: x is of A"),
        (lambda x, y: (127.5 * x + 127.5, y), r"x must lie in \[-1, 1\].*x / 127.5 - 1"),
        (lambda x, y: (x, 127.5 * y + 127.5), r"y must lie in \[-1, 1\], the range of the generator's tanh"),
        (
            lambda x, y: (x, y[:4]),
            r"y must have as many examples as x, 12.*Received: 4\. keras_gan.datasets.load_unpaired\(a, b",
        ),
        (lambda x, y: (x, np.where(y > 0, np.nan, y)), r"y must be finite"),
    ],
)
def test_data_that_can_not_be_trained_on_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        cyclegan(1, 3).fit(*change(*domains(12, 1, 3)), verbose=0)


def test_translate_says_what_it_takes():
    model = CycleGAN(**networks(1, 3))
    a, b = domains(2, 1, 3)
    for call, error, message in (
        (lambda: model.translate(a, to="c"), ValueError, r"to must be 'a' or 'b'.*'c'"),
        (lambda: model.export("x.tflite", to=None), ValueError, r"to must be 'a' or 'b'.*None"),
        (lambda: model.translate(b), ValueError, r"images must have the shape of.*16, 16, 1"),
        (lambda: model.translate(list(a)), TypeError, r"images must be one array"),
        (lambda: model.translate(a[0]), ValueError, r"Put examples into batches"),
        (lambda: model.translate(a, batch_size=0), ValueError, r"batch_size must be a positive integer"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_bright_outputs_on_their_way_back_are_no_images_of_another_range(caplog):
    a, b = domains(4, 1, 1, size=2)
    model = CycleGAN(**pointwise(ab=(0.1, 0.5), activation="tanh"))
    with caplog.at_level(logging.WARNING, "keras_gan"):
        there, back = model.there_and_back(a)
        assert there.min() > 0 and "scaled to [0, 1]" not in caplog.text
        np.testing.assert_array_equal(back, model.translate(there, to="a"))
    assert "scaled to [0, 1]" in caplog.text
    other, _ = model.there_and_back(b, to="a")
    np.testing.assert_array_equal(other, model.translate(b, to="a"))


def test_equal_domains_are_warned_of(caplog):
    a, b = domains(4)
    model = cyclegan()
    with caplog.at_level(logging.WARNING, "keras_gan"):
        model.evaluate(a, b, verbose=0)
        assert "x and y are equal" not in caplog.text
        model.evaluate(a, a, verbose=0)
    assert "x and y are equal" in caplog.text


# === Watching ===


def test_the_grid_shows_both_ways_there_and_back(tmp_path):
    from PIL import Image

    a, b = domains(5, 1, 3)
    model = cyclegan(1, 3)
    grid = keras_gan.callbacks.SampleGrid(tmp_path, n=4, columns=2, data=(a, b))
    model.fit(a, b, batch_size=4, verbose=0, callbacks=[grid])
    picture = np.array(Image.open(tmp_path / "samples" / "epoch_0001.png")).astype(int)
    height, width = 2 * SIZE + 1, 3 * SIZE + 2
    assert picture.shape == (2 * height + 2, 2 * width + 2, 3)
    second = picture[:height, width + 2 :]
    there = model.translate(a[1:2]), model.translate(b[1:2], to="a")
    rows = (a[1:2], there[0], model.translate(there[0], to="a")), (b[1:2], there[1], model.translate(there[1]))
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            shown = second[i * (SIZE + 1) : i * (SIZE + 1) + SIZE, j * (SIZE + 1) : j * (SIZE + 1) + SIZE]
            assert np.abs(shown - keras_gan.images.to_uint8(image)[0].astype(int)).max() <= 1
    with pytest.raises(ValueError, match=r"draws images of both domains: pass SampleGrid\(\.\.\., data="):
        model.preview(4)
    assert first_examples(tf.data.Dataset.from_tensors(0).take(0), 4) == (None, None)
    # As many of a longer set as of the other.
    for pair in ((a[:2], b), (a, b[:2])):
        model.fit(a, b, verbose=0, callbacks=[keras_gan.callbacks.SampleGrid(tmp_path / "few", n=4, data=pair)])
        with Image.open(tmp_path / "few" / "samples" / "epoch_0001.png") as few:
            assert few.size == (2 * width + 2, height)


def test_alarms_tell_of_each_direction():
    a, b = domains(8, 1, 1, size=2)
    names = {}
    for kind, ab in {"ignores": (0.0, 0.3), "copies": (0.99, 0.0), "honest": (1.0, 0.6)}.items():
        model = CycleGAN(**pointwise(ab=ab, ba=(1.0, -0.6)))
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
        health = keras_gan.callbacks.TrainingHealth(patience=1)
        model.fit(a, b, verbose=0, epochs=2, batch_size=8, callbacks=[health])
        names[kind] = {name for _, name, _ in health.alarms}
    # Neither can be reconstructed from one picture for all.
    still = {"cycle_stands_still_a", "cycle_stands_still_b"}
    assert names["ignores"] - {"cycle_stands_still_b"} == {"output_ignores_source_b", "cycle_stands_still_a"}
    assert names["copies"] - still == {"output_copies_source_b"}
    assert not names["honest"]


@pytest.mark.parametrize(
    ("broken", "part"),
    [
        ({"real_score_b", "cycle_loss_b", "fake_score_a", "generator_gradient_norm"}, "the data, with images of B"),
        ({"real_score_a", "fake_score_a"}, "the discriminator's weights, after its last update, with images of A"),
        ({"generator_gradient_norm"}, "the gradient of the generator"),
    ],
)
def test_what_broke_is_named(broken, part):
    assert part in cyclegan().culprit(broken)
