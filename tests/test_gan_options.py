"""The options of a GAN: moving average, packing, discriminator steps, penalties, augmentation, truncation."""

import functools
import warnings

import keras
import numpy as np
import pytest
from keras import ops

import keras_gan

A = keras_gan.architectures
P = keras_gan.penalties


def sgd_gan(rate=0.05, pack=1, ema=None, penalties=(), **compile_options):
    keras.utils.set_random_seed(0)
    gan = keras_gan.GAN(
        keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
        ),
        A.mlp_discriminator((2 * pack,), units=(8,), dropout=0.0),
        pack=pack,
        ema=ema,
        seed=0,
    )
    gan.compile(keras.optimizers.SGD(rate), keras.optimizers.SGD(rate), penalties=penalties, **compile_options)
    return gan


def arrays(weights):
    return [ops.convert_to_numpy(w) for w in weights]


# === Moving average ===


def test_ema_follows_its_recurrence_and_copies_statistics(points):
    gan = sgd_gan(ema=0.3)
    expected = arrays(gan.generator.weights)
    # (1 + t) / (10 + t) in the first steps, then the given momentum.
    for i, m in enumerate([2 / 11, 3 / 12, 0.3, 0.3]):
        gan.fit(points[i * 32 : (i + 1) * 32], batch_size=32, verbose=0)
        now = arrays(gan.generator.weights)
        kinds = [w.trainable for w in gan.generator.weights]
        # Batch statistics are averages already.
        expected = [m * a + (1 - m) * w if k else w for k, a, w in zip(kinds, expected, now, strict=True)]
        assert kinds.count(False) == 2
        for a, b in zip(expected, arrays(gan.ema_generator.weights), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
    assert any(np.abs(a - w).max() > 1e-3 for a, w in zip(expected, now, strict=True))


def test_the_average_outlives_compile_and_files(points, tmp_path):
    gan = sgd_gan(ema=0.9)
    gan.fit(np.tile(points, (5, 1)), batch_size=16, verbose=0)
    gan.save(tmp_path / "gan.keras")
    for same in (gan, keras.models.load_model(tmp_path / "gan.keras")):
        same.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05), penalties=())
        before = arrays(same.ema_generator.weights)
        same.fit(points[:16], batch_size=16, verbose=0)
        now, after = arrays(same.generator.weights), arrays(same.ema_generator.weights)
        kinds = [w.trainable for w in same.generator.weights]
        # Step 81: 82 / 91 is more than 0.9.
        for trained, a, w, b in zip(kinds, before, now, after, strict=True):
            np.testing.assert_allclose(b, 0.9 * a + 0.1 * w if trained else w, atol=1e-6)


def test_before_the_first_step_the_average_is_the_generator(points, tmp_path):
    gan, trained = sgd_gan(ema=0.9), sgd_gan(ema=0.9)
    trained.fit(points, batch_size=32, verbose=0)
    trained.generator.save_weights(tmp_path / "g.weights.h5")
    before = gan.sample(5, seed=0), gan.evaluate(points, verbose=0, return_dict=True)
    gan.generator.load_weights(tmp_path / "g.weights.h5")
    latents = gan.prior.sample(5, seed=0)
    expected = ops.convert_to_numpy(trained.generator(latents))
    for found in (gan.sample(5, seed=0), gan.predict(latents, verbose=0)):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(expected - before[0]).max() > 1e-3
    assert gan.evaluate(points, verbose=0, return_dict=True) != before[1]
    # From the first step on it differs.
    gan.fit(points[:32], batch_size=32, verbose=0)
    average = arrays(gan.ema_generator.weights)
    gan.generator.set_weights([w * 0 for w in gan.generator.get_weights()])
    gan.sample(2)
    for a, b in zip(average, arrays(gan.ema_generator.weights), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_generator_that_can_not_be_copied_has_no_average():
    class Own(keras.Model):
        def __init__(self, size):
            super().__init__()
            self.dense = keras.layers.Dense(size)

        def call(self, x):
            return self.dense(x)

    with pytest.raises(ValueError, match=r"ema needs a generator that Keras can copy.*get_config"):
        keras_gan.GAN(Own(2), A.mlp_discriminator((2,), units=(8,)), keras_gan.priors.Normal(4), ema=0.9)


def test_samples_evaluations_and_exports_use_the_average(points, tmp_path):
    gan = sgd_gan(ema=0.9)
    gan.fit(points, batch_size=32, verbose=0)
    latents = gan.prior.sample(5, seed=0)
    np.testing.assert_allclose(gan.sample(5, seed=0), gan.ema_generator(latents), atol=1e-6)
    assert np.abs(gan.sample(5, seed=0) - ops.convert_to_numpy(gan.generator(latents))).max() > 1e-3
    before = gan.evaluate(points, verbose=0, return_dict=True)
    if keras.config.backend() == "tensorflow":
        assert gan.export(tmp_path / "saved").max_error < 1e-6
    gan.generator.set_weights([w * 0 for w in gan.generator.get_weights()])
    assert gan.evaluate(points, verbose=0, return_dict=True) == before
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras", compile=False)
    np.testing.assert_array_equal(loaded.sample(5, seed=0), gan.sample(5, seed=0))


def test_ema_is_moved_by_no_optimizer():
    gan = sgd_gan(ema=0.9)
    assert not gan.ema_generator.trainable_weights
    assert len(gan.trainable_weights) == len(gan.generator.trainable_weights) + len(gan.discriminator.trainable_weights)
    assert sgd_gan().ema_generator is None


@pytest.mark.parametrize("ema", [1, 1.5, -0.1, False, float("nan"), "0.9"])
def test_ema_out_of_range(ema):
    with pytest.raises(ValueError, match=r"ema, the momentum of the average, must be a number in \[0, 1\). Received: "):
        sgd_gan(ema=ema)


def test_the_average_of_a_spectrally_normalised_generator_is_normalised(points):
    keras.utils.set_random_seed(0)
    S, L = keras_gan.layers.SpectralNormalization, keras.layers
    generator = keras.Sequential([keras.Input((8,)), S(L.Dense(32)), L.ReLU(), S(L.Dense(32)), L.ReLU(), L.Dense(2)])
    gan = keras_gan.GAN(generator, A.mlp_discriminator((2,), units=(32,), dropout=0.0), ema=0.99, seed=0)
    gan.compile(keras.optimizers.Adam(2e-3), keras.optimizers.Adam(2e-3), penalties=())
    gan.fit(np.tile(points, (10, 1)), batch_size=32, verbose=0)
    layers = [layer for layer in gan.ema_generator.layers if isinstance(layer, S)]
    assert len(layers) == 2
    for layer in layers:
        found = float(ops.convert_to_numpy(layer._sigma(training=False)))
        assert found == pytest.approx(np.linalg.norm(ops.convert_to_numpy(layer.layer.kernel), 2), rel=5e-3)


# === Losses of layers ===


@pytest.mark.parametrize("penalties", [[], [P.R1(0.0)], [P.GradientPenalty(0.0)]], ids=lambda p: str(len(p)))
def test_what_layers_add_counts_once(penalties, points):
    regularizers = {
        "kernel_regularizer": keras.regularizers.L2(0.3),
        "activity_regularizer": keras.regularizers.L2(2.0),
    }
    discriminator = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False, **regularizers)])
    gan = keras_gan.GAN(A.mlp_generator((2,), 4, units=(8,)), discriminator, seed=0, ema=None)
    gan.compile(penalties=penalties)
    objective, aux = gan.discriminator_objective(ops.convert_to_tensor(points[:8]))
    (kernel,) = arrays(discriminator.weights)
    # Keras divides activity losses by the size of the batch.
    real, fake = (np.square(ops.convert_to_numpy(aux[f"{kind}_logits"])).sum() / 8 for kind in ("real", "fake"))
    expected = float(aux["loss"]) + 0.3 * np.square(kernel).sum() + 2.0 * (real + fake) / 2
    assert float(objective) == pytest.approx(expected, rel=1e-5)


def test_what_layers_add_moves_both_players(points):
    def spread(weight):
        keras.utils.set_random_seed(0)
        added = {"activity_regularizer": keras.regularizers.L2(weight)}
        L = keras.layers
        gan = keras_gan.GAN(
            keras.Sequential([keras.Input((4,)), L.Dense(8, activation="relu"), L.Dense(2, **added)]),
            keras.Sequential([keras.Input((2,)), L.Dense(8, activation="relu", **added), L.Dense(1)]),
            seed=0,
            ema=None,
        )
        gan.compile(keras.optimizers.Adam(5e-3), keras.optimizers.Adam(5e-3), penalties=())
        gan.fit(np.tile(points, (4, 1)), batch_size=32, epochs=2, verbose=0)
        hidden = gan.discriminator.layers[0](points)
        return np.square(gan.sample(256, seed=0)).mean(), np.square(ops.convert_to_numpy(hidden)).mean()

    (fakes, hidden), (fakes_regularized, hidden_regularized) = spread(0.0), spread(1.0)
    assert fakes > 0.2 and hidden > 0.2
    assert fakes_regularized < 0.5 * fakes and hidden_regularized < 0.5 * hidden


# === Simultaneous updates ===


@pytest.mark.parametrize(
    "options",
    [
        {"penalties": [P.R1(2.0), P.R2(1.0)]},
        pytest.param({"loss": "relativistic"}, marks=pytest.mark.long_elsewhere),
        {"loss": "hinge", "condition": keras_gan.conditions.Codes([3], 2)},
        pytest.param({"condition": keras_gan.conditions.Labels(3)}, marks=pytest.mark.long_elsewhere),
    ],
    ids=["penalties", "relativistic", "codes", "labels"],
)
def test_a_simultaneous_step_is_both_first_steps_on_the_same_fakes(options, points):
    """From the same weights and latents: the discriminator's as alternating, the generator's as if it had not moved."""
    options = {"penalties": (), **options}
    condition = options.pop("condition", None)
    labels = np.arange(32) % 3 if isinstance(condition, keras_gan.conditions.Labels) else None

    def step(d_rate, **more):
        keras.utils.set_random_seed(0)
        discriminator = A.mlp_discriminator((2,), units=(8,), dropout=0.0, condition=condition)
        gan = keras_gan.GAN(A.mlp_generator((2,), 9, units=(8,), condition=condition), discriminator, ema=None)
        latents = gan.prior.sample(32, 0)
        gan._draw_latents = lambda *_: latents
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(d_rate), **options, **more)
        logs = gan.fit(points[:32], labels, batch_size=32, shuffle=False, verbose=0).history
        return logs, arrays(gan.generator.trainable_weights), arrays(gan.discriminator.trainable_weights)

    logs, generator, discriminator = step(0.1, simultaneous=True)
    turns, _, expected = step(0.1)
    _, expected_generator, _ = step(0.0)
    _, still, _ = step(0.0, simultaneous=True)
    for a, b in zip([*discriminator, *generator], [*expected, *expected_generator], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for a, b in zip(still, generator, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert logs["discriminator_loss"] == pytest.approx(turns["discriminator_loss"], rel=1e-5)
    # When alternating, the discriminator has moved before the generator's loss is computed.
    assert abs(logs["generator_loss"][0] - turns["generator_loss"][0]) > 1e-5


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_simultaneous_with_the_other_options(policy, images):
    keras.config.set_dtype_policy(policy)
    try:
        gan = keras_gan.GAN(
            A.dcgan_generator((8, 8, 1), 4, width=4), A.dcgan_discriminator((8, 8, 2), width=4), pack=2, ema=0.9
        )
    finally:
        keras.config.set_dtype_policy("float32")
    augmentation = keras_gan.augmentation.AdaptiveAugmentation()
    gan.compile(penalties=[P.R1(1.0)], augmentation=augmentation, simultaneous=True)
    before = [arrays(net.trainable_weights) for net in (gan.generator, gan.discriminator, gan.ema_generator)]
    logs = gan.fit(images, batch_size=16, epochs=2, verbose=0).history
    assert np.isfinite(np.hstack(list(logs.values()))).all()
    assert ("generator_loss_scale" in logs) == (policy == "mixed_float16")
    for old, net in zip(before, (gan.generator, gan.discriminator), strict=False):
        assert any(np.abs(a - b).max() > 1e-5 for a, b in zip(old, arrays(net.trainable_weights), strict=True))


# === Packing ===


def test_packs_lie_side_by_side_in_the_last_axis():
    x = np.arange(5 * 2 * 3 * 2).reshape(5, 2, 3, 2)
    packed = ops.convert_to_numpy(keras_gan.gan._pack(x, 2))
    assert packed.shape == (2, 2, 3, 4)
    for i in range(2):
        np.testing.assert_array_equal(packed[i], np.concatenate([x[2 * i], x[2 * i + 1]], -1))
    np.testing.assert_array_equal(keras_gan.gan._pack(x[:1], 2), np.concatenate([x[:1], x[:1]], -1))


def test_a_packed_gan_trains_with_a_remainder_and_a_small_last_batch(points):
    gan, other = sgd_gan(pack=3), sgd_gan(pack=3)
    logs = gan.fit(points[:34], batch_size=16, shuffle=False, verbose=0).history
    assert np.isfinite(list(logs.values())).all()
    # A last batch smaller than a pack is skipped: copies of one example would look like a generator's collapse.
    expected = other.fit(points[:32], batch_size=16, shuffle=False, verbose=0).history
    assert logs == expected and int(gan.optimizer.iterations) == 2
    for a, b in zip(gan.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    gan.evaluate(points[:34], batch_size=16, verbose=0)
    assert gan.data_shape == (2,) and gan.sample(3).shape == (3, 2)
    with pytest.raises(ValueError, match=r"at least 3 examples.*pack.*Received: a batch of 2"):
        gan.fit(points, batch_size=2, verbose=0)
    with pytest.raises(ValueError, match=r"\(batch, 6\), 3 examples packed"):
        keras_gan.GAN(gan.generator, A.mlp_discriminator((2,), units=(8,)), pack=3)
    with pytest.raises(ValueError, match="pack must be a positive integer"):
        keras_gan.GAN(gan.generator, gan.discriminator, pack=0)


# === Discriminator steps ===


def test_discriminator_steps_take_fresh_latents_each(points):
    drawn = []
    gan = sgd_gan(discriminator_steps=3, run_eagerly=True)
    inner = gan.prior.sample
    gan.prior.sample = lambda n, seed: (drawn.append(ops.convert_to_numpy(inner(n, seed))), drawn[-1])[1]
    gan.fit(points[:32], batch_size=32, verbose=0)
    assert int(gan.discriminator_optimizer.iterations) == 3 and int(gan.generator_optimizer.iterations) == 1
    assert len(drawn) == 4
    assert all(np.abs(a - b).max() > 0.1 for i, a in enumerate(drawn) for b in drawn[:i])
    with pytest.raises(ValueError, match=r"discriminator_steps must be a positive integer. Received: 0"):
        gan.compile(discriminator_steps=0)


# === Penalties ===


def test_a_penalty_acts_on_the_discriminator_and_not_on_the_logged_loss(points):
    class Flatten(P.Penalty):
        def __call__(self, discriminator, real, fake, seed=None):
            return 1e3 * ops.mean(ops.square(discriminator(real)))

    plain, flat = sgd_gan(rate=0.0), sgd_gan(rate=0.0, penalties=[Flatten()])
    logs = [gan.fit(points, batch_size=32, shuffle=False, verbose=0).history for gan in (plain, flat)]
    np.testing.assert_allclose(logs[0]["discriminator_loss"], logs[1]["discriminator_loss"], rtol=1e-6)
    flat.compile(keras.optimizers.SGD(0.0), keras.optimizers.Adam(1e-2), penalties=[Flatten()])
    flat.fit(points, batch_size=32, epochs=20, verbose=0)
    assert np.abs(flat.discriminator.predict(points, verbose=0)).mean() < 0.05


def test_two_penalties_add_up(points):
    def objective(penalties):
        gan = sgd_gan(penalties=penalties)
        value, aux = gan.discriminator_objective(ops.convert_to_tensor(points))
        return float(value) - float(aux["loss"])

    one, other = objective([P.R1(2.0)]), objective([P.R2(3.0)])
    assert one > 0 and other > 0
    np.testing.assert_allclose(objective([P.R1(2.0), P.R2(3.0)]), one + other, rtol=1e-4)


@pytest.mark.parametrize("penalty", ["r1", P.R1, 3])
def test_penalties_are_objects(penalty):
    with pytest.raises(TypeError, match="penalties must be objects"):
        sgd_gan(penalties=[penalty])


@pytest.mark.parametrize(
    ("penalty", "place"),
    [
        (keras_gan.constraints.WeightClipping(), "A constraint belongs to layers of the discriminator"),
        (keras.constraints.MaxNorm(), "A constraint belongs to layers of the discriminator"),
        (keras.regularizers.L2(0.1), "A regularizer belongs to layers"),
        (keras.losses.BinaryCrossentropy(), "Losses of keras_gan.losses belong to loss="),
        (keras.metrics.Mean(), "A metric belongs to metrics="),
        (keras_gan.losses.Hinge(), "Received: .*Hinge"),
        (keras.layers.Dense(1), "Received: .*Dense"),
        (keras.losses.binary_crossentropy, "Received: .*binary_crossentropy"),
        (lambda discriminator, real, fake: 0.0, "Received: .*lambda"),
        (lambda real, seed=None: 0.0, "Received: .*lambda"),
        (keras_gan.penalties.GradientPenalty, "Received: .*GradientPenalty"),
        (print, "Received: .*print"),
    ],
)
def test_what_is_no_penalty_is_refused_and_told_its_place(penalty, place):
    with pytest.raises(TypeError, match=rf"penalties must be objects.*\(discriminator, real, fake, seed\).*{place}"):
        sgd_gan(penalties=[penalty])


def test_a_penalty_of_the_users_own(points):
    class Mine:
        def __call__(self, discriminator, real, fake, seed=None):
            return ops.mean(ops.square(discriminator(real)))

    def mine(discriminator, real, fake, *, seed):
        return ops.mean(ops.square(discriminator(real)))

    values = []
    for penalty in (Mine(), mine, functools.partial(mine), lambda d, real, fake, seed: mine(d, real, fake, seed=seed)):
        values.append(float(sgd_gan(penalties=[penalty]).fit(points, verbose=0).history["generator_loss"][0]))
    assert len(set(values)) == 1 and np.isfinite(values).all()


def test_wasserstein_without_control_warns_once():
    with pytest.warns(UserWarning, match="without control of the discriminator's slope") as record:
        sgd_gan(loss="wasserstein")
    assert len([w for w in record if "slope" in str(w.message)]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        sgd_gan(loss="wasserstein", penalties=[P.GradientPenalty()])
        clipping = keras_gan.constraints.WeightClipping()
        clipped = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_constraint=clipping)])
        keras_gan.GAN(A.mlp_generator((2,), 4), clipped).compile(loss="wasserstein")


def test_accuracy_of_least_squares_counts_from_one_half(points):
    gan = sgd_gan(rate=0.0, loss="least_squares")
    kernel, bias = gan.discriminator.layers[-1].get_weights()
    gan.discriminator.layers[-1].set_weights([kernel * 0, bias + 0.4])
    logs = gan.fit(points, verbose=0).history
    assert logs["real_accuracy"] == [0.0] and logs["fake_accuracy"] == [1.0]


# === Augmentation ===


def image_gan(augmentation):
    keras.utils.set_random_seed(0)
    gan = keras_gan.GAN(
        A.mlp_generator((8, 8, 1), 4, units=(8,)), A.mlp_discriminator((8, 8, 1), units=(8,)), seed=0, ema=None
    )
    gan.compile(augmentation=augmentation, penalties=())
    return gan


def test_the_discriminator_sees_augmented_reals_and_fakes(images):
    class Zero(keras_gan.augmentation.Augmentation):
        def transform(self, images, uniform):
            return images * 0

    gan = image_gan(Zero())
    logs = gan.fit(images, batch_size=16, verbose=0).history
    # It sees black everywhere, and its weights on the pixels never change.
    assert logs["real_accuracy"][0] + logs["fake_accuracy"][0] == pytest.approx(1, abs=0.5)
    kernel = gan.discriminator.layers[1].get_weights()[0]
    np.testing.assert_array_equal(kernel, image_gan(Zero()).discriminator.layers[1].get_weights()[0])
    # Evaluation sees unaugmented images.
    assert np.ptp(gan.discriminator.predict(images, verbose=0)) > 1e-3


def test_adaptive_augmentation_is_updated_and_saved(images, tmp_path):
    ada = keras_gan.augmentation.AdaptiveAugmentation(target=-0.99, ramp_images=480)
    gan = image_gan(ada)
    gan.fit(images, batch_size=16, verbose=0)
    np.testing.assert_allclose(float(ada.probability), 48 / 480, rtol=1e-5)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert float(loaded.augmentation.probability) == float(ada.probability)
    assert loaded.augmentation.target == -0.99


def test_bad_augmentation(points):
    with pytest.raises(TypeError, match="augmentation must be"):
        image_gan("color")
    with pytest.raises(ValueError, match="augmentation needs images"):
        sgd_gan(augmentation=keras_gan.augmentation.DiffAugment())


def test_compiling_again_forgets_what_it_replaces(images):
    gan = image_gan(keras_gan.augmentation.AdaptiveAugmentation())
    counts = set()
    for _ in range(3):
        gan.compile(
            penalties=[P.LeCam()],
            metrics=[keras_gan.metrics.KernelDistance(max_examples=50)],
            augmentation=keras_gan.augmentation.AdaptiveAugmentation(),
        )
        held = len(gan.layers), len(gan.variables), len(gan.get_weights()), len(gan.metrics_variables)
        counts.add((*held, len(gan._metrics)))
    assert len(counts) == 1
    # Parts that are compiled with again keep their state.
    metric, ada = gan.evaluation_metrics[0], gan.augmentation
    gan.compile(metrics=[metric], augmentation=ada, penalties=())
    assert any(layer is ada for layer in gan._flatten_layers())
    assert np.isfinite(gan.fit(images, batch_size=16, verbose=0, validation_data=images).history["val_kernel_distance"])


# === Truncation ===


def test_truncated_samples_vary_less():
    gan = sgd_gan()
    free, tight = gan.sample(500, seed=0), gan.sample(500, seed=0, truncation=0.5)
    assert tight.std() < 0.6 * free.std()
    with pytest.raises(ValueError, match=r"truncation must be a finite number > 0\. Received: "):
        gan.sample(2, truncation=-1.0)
    with pytest.raises(ValueError, match=r"truncation must be a finite number > 0\. Received: "):
        gan.sample(2, truncation=0)


# === Together ===


def test_save_and_load_keep_every_option(images, tmp_path):
    gan = keras_gan.GAN(
        A.mlp_generator((8, 8, 1), 4, units=(8,)),
        A.mlp_discriminator((8, 8, 2), units=(8,)),
        prior=keras_gan.priors.Concatenated([keras_gan.priors.Normal(3), keras_gan.priors.Uniform(1)]),
        pack=2,
        ema=0.5,
        seed=3,
    )
    gan.compile(
        keras.optimizers.SGD(0.1),
        keras.optimizers.Adam(0.002),
        loss=keras_gan.losses.LeastSquares(label_smoothing=0.1),
        penalties=[P.R1(0.3), P.GradientPenalty(2.0)],
        augmentation=keras_gan.augmentation.DiffAugment(color=False),
        discriminator_steps=2,
    )
    gan.fit(images, batch_size=16, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    for key in ("prior", "condition", "pack", "ema", "seed"):
        assert loaded.get_config()[key] == gan.get_config()[key], key
    ours, theirs = gan.get_compile_config(), loaded.get_compile_config()
    assert ours.keys() == theirs.keys() and ours["discriminator_steps"] == theirs["discriminator_steps"] == 2
    for key in ("generator_optimizer", "discriminator_optimizer", "loss", "penalties"):
        assert ours[key] == theirs[key], key
    assert len(loaded.penalties) == 2 and loaded.augmentation.color is False
    for a, b in zip(arrays(gan.variables), arrays(loaded.variables), strict=True):
        np.testing.assert_array_equal(a, b)
    for each in (gan, loaded):
        each.fit(images, batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(arrays(gan.weights), arrays(loaded.weights), strict=True):
        # A second trace may add gradients in another order. Without an option they differ by 0.01.
        np.testing.assert_allclose(a, b, atol=1e-3)


LOSSES = ["minimax", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic", "relativistic_average"]
PAIRS = {
    **{f"{loss} R1": (loss, [P.R1(0.1)]) for loss in LOSSES},
    "relativistic R1 R2": ("relativistic", [P.R1(0.1), P.R2(0.1)]),
    **{f"{loss} GP": (loss, [P.GradientPenalty(0.1)]) for loss in ("non_saturating", "hinge", "wasserstein")},
    "wasserstein LP": ("wasserstein", [P.LipschitzPenalty(1.0)]),
    **{loss: (loss, []) for loss in ("non_saturating", "least_squares", "hinge")},
}


# The objectives are the same code on each backend.
@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(pair, marks=() if pair in ("hinge GP", "relativistic R1 R2") else pytest.mark.long_elsewhere)
        for pair in PAIRS
    ],
)
def test_each_loss_and_penalty_finds_the_mean(pair, points):
    loss, penalties = PAIRS[pair]
    keras.utils.set_random_seed(0)
    gan = keras_gan.GAN(
        A.mlp_generator((2,), latent_dim=2, units=(16,)),
        A.mlp_discriminator((2,), units=(32,), dropout=0.0),
        ema=0.98,
        seed=0,
    )
    rates = [keras.optimizers.schedules.CosineDecay(1e-2, 600) for _ in range(2)]
    optimizers = [keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9) for rate in rates]
    gan.compile(*optimizers, loss=loss, penalties=penalties)
    gan.fit(np.tile(points, (300, 1)), batch_size=128, verbose=0)
    samples = gan.sample(2000, seed=0)
    # A target for the slope, not only a bound, slows changes of the discriminator: the pair oscillates around the data.
    tolerance = 0.4 if pair.endswith("GP") else 0.2
    np.testing.assert_allclose(samples.mean(0), points.mean(0), atol=tolerance)
    assert samples.std(0).min() > 0.1 and samples.std(0).max() < 1.0


def still_gan(logit, pack=1, penalties=(), **options):
    """A GAN that never moves, whose discriminator gives every example one logit."""
    d = keras.Sequential(
        [
            keras.Input((8, 8, pack)),
            keras.layers.Flatten(),
            keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(logit)),
        ]
    )
    gan = keras_gan.GAN(A.mlp_generator((8, 8, 1), 4, units=(8,)), d, pack=pack, seed=0, ema=None)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), penalties=penalties, **options)
    return gan


@pytest.mark.parametrize("pack", [1, 4])
def test_adaptive_augmentation_counts_images_whatever_the_pack(pack, images):
    ada = keras_gan.augmentation.AdaptiveAugmentation(ramp_images=192)
    still_gan(1.0, pack, augmentation=ada).fit(images, batch_size=16, verbose=0)
    assert float(ada.probability) == pytest.approx(0.25)


@pytest.mark.parametrize(("loss", "boundary"), [("hinge", 0.0), ("least_squares", 0.5)])
def test_adaptive_augmentation_counts_from_the_boundary_of_the_loss(loss, boundary, images):
    for logit, expected in ((boundary + 0.1, 0.5), (boundary - 0.1, 0.0), (boundary, 0.0)):
        ada = keras_gan.augmentation.AdaptiveAugmentation(ramp_images=96)
        still_gan(logit, loss=loss, augmentation=ada).fit(images, batch_size=16, verbose=0)
        assert float(ada.probability) == pytest.approx(expected)


@pytest.mark.parametrize("loss", ["relativistic", "relativistic_average", "wasserstein"])
def test_adaptive_augmentation_needs_a_loss_with_a_boundary(loss):
    options = {"loss": loss, "penalties": [P.GradientPenalty()]}
    with pytest.raises(ValueError, match="boundary"):
        still_gan(0.0, augmentation=keras_gan.augmentation.AdaptiveAugmentation(), **options)
    still_gan(0.0, augmentation=keras_gan.augmentation.DiffAugment(), **options)


def test_accuracies_of_losses_without_a_boundary():
    real, fake = (np.array(x, "float32")[:, None] for x in ([5, 7, 9, 4], [4, 7, 10, 3]))
    for shift in (0, -100):
        found = keras_gan.losses.accuracies(keras_gan.losses.Relativistic(), real + shift, fake + shift)
        # Two of four pairs in the right order, and one tie.
        assert {k: float(v) for k, v in found.items()} == {"real_accuracy": 0.625, "fake_accuracy": 0.625}
        found = keras_gan.losses.accuracies(keras_gan.losses.RelativisticAverage(), real + shift, fake + shift)
        # Means of 6.25 and 6: two reals above 6; two fakes below 6.25.
        assert {k: float(v) for k, v in found.items()} == {"real_accuracy": 0.5, "fake_accuracy": 0.5}
    assert keras_gan.losses.accuracies(keras_gan.losses.Wasserstein(), real, fake) == {}
    average = keras_gan.losses.RelativisticAverage()
    found = keras_gan.losses.accuracies(average, real, np.array([[5], [5], [1], [9]], "float32"))
    assert {k: float(v) for k, v in found.items()} == {"real_accuracy": 0.625, "fake_accuracy": 0.75}


@pytest.mark.parametrize("bias", [-1.0, pytest.param(1.0, marks=pytest.mark.long_elsewhere)])
def test_a_bias_decides_no_accuracy_of_relativistic_losses(bias, images):
    for loss in ("relativistic", "relativistic_average"):
        logs = still_gan(bias, loss=loss).fit(images, validation_data=images, verbose=0).history
        assert logs["real_accuracy"] == logs["val_fake_accuracy"] == [0.5]
    gan = still_gan(bias, loss="wasserstein", penalties=[P.GradientPenalty()])
    logs = gan.fit(images, validation_data=images, verbose=0, callbacks=[keras_gan.callbacks.TrainingHealth()]).history
    assert not [name for name in logs if "accuracy" in name]
    assert np.isfinite([*logs.values()]).all()


def test_a_loss_of_the_users_own_counts_from_its_boundary_or_from_zero(images):
    class Own:
        def discriminator(self, real_logits, fake_logits):
            return keras.ops.mean(fake_logits - real_logits)

        def generator(self, real_logits, fake_logits):
            return -keras.ops.mean(fake_logits)

    logs = still_gan(0.4, loss=Own()).fit(images, verbose=0).history
    assert logs["real_accuracy"] == [1.0] and logs["fake_accuracy"] == [0.0]
    Own.boundary = 0.5
    logs = still_gan(0.4, loss=Own()).fit(images, verbose=0).history
    assert logs["real_accuracy"] == [0.0] and logs["fake_accuracy"] == [1.0]
