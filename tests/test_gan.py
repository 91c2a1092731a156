import inspect
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from keras.src.saving import saving_lib

import keras_gan

LOGS = {"discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy"}
HEALTH = {
    "real_score",
    "fake_score",
    "diversity",
    "implied_jensen_shannon",
    "discriminator_gradient_norm",
    "generator_gradient_norm",
}


def weights(gan):
    return [ops.convert_to_numpy(v) for v in gan.weights]


def everything(gan):
    """Returns all state that training changes: weights, both optimizers, random state."""
    variables = [*gan.variables, *gan.optimizer.variables]
    return {f"{i} {v.path}": ops.convert_to_numpy(v) for i, v in enumerate(variables) if "mean_metric" not in v.path}


def assert_equal_state(a, b):
    a, b = list(everything(a).items()), list(everything(b).values())
    assert len(a) == len(b)
    for (name, x), y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y, err_msg=name)


# === Mistakes ===


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_a_frozen_network_is_refused(name, make_gan):
    gan = make_gan(compiled=False)
    getattr(gan, name).trainable = False
    message = f"{name} must have trainable weights.*a {name} without trainable weights, the network '{name}'. Set its"
    with pytest.raises(ValueError, match=message):
        gan.compile()


@pytest.mark.parametrize("weights", [{"sample_weight": np.ones(256)}, {"class_weight": {0: 1.0}}], ids=lambda w: min(w))
def test_weights_of_examples_are_refused(weights, points, make_gan):
    with pytest.raises(ValueError, match=f"{min(weights)} must be None"):
        make_gan().fit(points, verbose=0, **weights)


def test_weights_are_refused_at_every_door(points, make_gan):
    gan, w = make_gan(), np.zeros(256, "float32")
    weighted = tf.data.Dataset.from_tensor_slices((points, w, w)).batch(64)
    doors = [
        lambda: gan.evaluate(points, sample_weight=w, verbose=0),
        lambda: gan.fit(points, validation_data=(points, None, w), verbose=0),
        lambda: gan.train_on_batch(points, sample_weight=w),
        lambda: gan.train_on_batch(points, class_weight={0: 1.0}),
        lambda: gan.test_on_batch(points, sample_weight=w),
        lambda: gan.fit(weighted, verbose=0),
        lambda: gan.fit(points, validation_data=weighted, verbose=0),
        lambda: gan.evaluate(weighted, verbose=0),
    ]
    for door in doors:
        with pytest.raises(ValueError, match="all examples have the same weight"):
            door()
    assert int(gan.optimizer.iterations) == 0


def test_single_batches_are_checked_and_logged(points, make_gan):
    gan, other = make_gan(metrics=[keras_gan.metrics.KolmogorovSmirnov()]), make_gan()
    logs = gan.train_on_batch(points[:64], return_dict=True)
    expected = other.fit(points[:64], batch_size=64, shuffle=False, verbose=0).history
    assert set(logs) == set(expected)
    for name, value in logs.items():
        assert float(value) == pytest.approx(expected[name][0], rel=1e-4, abs=1e-5)
    found = gan.test_on_batch(points, return_dict=True)
    assert set(found) == LOGS | {"kolmogorov_smirnov"} and 0 < found["kolmogorov_smirnov"] <= 1
    assert dict(zip(gan.metrics_names, gan.test_on_batch(points), strict=True)) == pytest.approx(found)
    for wrong in (gan.train_on_batch, gan.test_on_batch):
        with pytest.raises(ValueError, match="x must have the shape"):
            wrong(points[:, :1])


def test_evaluate_and_metrics_names_are_in_one_order(points, make_gan):
    # One of them has a result of its own name, and another one.
    kinds = "PrecisionRecall", "KernelDistance", "FrechetDistance", "SlicedWasserstein"
    gan = make_gan(metrics=[getattr(keras_gan.metrics, kind)() for kind in kinds])
    # Read before the first evaluation, as Python reads it here.
    found = dict(zip(gan.metrics_names, gan.evaluate(points, verbose=0), strict=True))
    named = gan.evaluate(points, verbose=0, return_dict=True)
    assert found == pytest.approx(named)
    assert dict(zip(gan.metrics_names, gan.evaluate(points, verbose=0), strict=True)) == pytest.approx(named)
    assert {"precision", "recall", "kernel_distance", "kernel_distance_error", "frechet_distance"} < set(named)
    found = gan.test_on_batch(points, return_dict=True)
    assert dict(zip(gan.metrics_names, gan.test_on_batch(points), strict=True)) == pytest.approx(found)


def test_a_network_that_is_frozen_after_compile_is_refused(points, make_gan):
    gan = make_gan()
    gan.discriminator.trainable = False
    with pytest.raises(ValueError, match=r"The trainable weights of discriminator must be the same as in compile"):
        gan.fit(points, verbose=0)
    gan.discriminator.trainable = True
    gan.fit(points, batch_size=64, verbose=0)
    gan.generator.layers[0].trainable = False
    with pytest.raises(ValueError, match=r"The trainable weights of generator must be the same as in compile"):
        gan.fit(points, verbose=0)


def test_networks_that_share_weights_are_refused():
    shared = keras.layers.Dense(2)
    generator = keras.Sequential([keras.Input((2,)), shared])
    discriminator = keras.Sequential([keras.Input((2,)), shared, keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"must not share weights.*dense.*kernel"):
        keras_gan.GAN(generator, discriminator)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_a_weight_that_the_objective_does_not_use_stays(points):
    @keras.saving.register_keras_serializable()
    class Spare(keras.Model):
        def __init__(self):
            super().__init__()
            self.used, self.spare = keras.layers.Dense(1), keras.layers.Dense(3)

        def call(self, x):
            self.spare(x)
            return self.used(x)

    gan = keras_gan.GAN(keras_gan.architectures.mlp_generator((2,), 4, units=(8,)), Spare(), seed=0, ema=None)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), penalties=())
    before = [gan.discriminator.used.get_weights(), gan.discriminator.spare.get_weights()]
    gan.fit(points, batch_size=64, verbose=0)
    assert np.abs(gan.discriminator.used.get_weights()[0] - before[0][0]).max() > 1e-3
    np.testing.assert_array_equal(gan.discriminator.spare.get_weights()[0], before[1][0])


# === The step ===


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="the hand is TensorFlow's")
def test_update_equals_two_tapes_by_hand(points):
    batch, steps = 32, 5
    L = keras.layers
    generator = keras.Sequential(
        [keras.Input((4,)), L.Dense(16, use_bias=False), L.BatchNormalization(), L.ReLU(), L.Dense(2)]
    )
    discriminator = keras_gan.architectures.mlp_discriminator((2,), units=(16,), dropout=0.0)
    networks = {"hand": (keras.models.clone_model(generator), keras.models.clone_model(discriminator))}
    networks["gan"] = generator, discriminator
    for by_hand, ours in zip(*networks.values(), strict=True):
        by_hand.set_weights(ours.get_weights())

    gan = keras_gan.GAN(generator, discriminator, seed=3, ema=None)
    gan.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(2e-2), penalties=())
    gan.fit(points[: batch * steps], batch_size=batch, shuffle=False, verbose=0)

    g, d = networks["hand"]
    g_optimizer, d_optimizer = keras.optimizers.Adam(1e-2), keras.optimizers.Adam(2e-2)
    seed = keras.random.SeedGenerator(3)
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    for i in range(steps):
        real = points[i * batch : (i + 1) * batch]
        with tf.GradientTape() as tape:
            fake = g(gan.prior.sample(batch, seed), training=True)
            real_logits, fake_logits = d(real, training=True), d(fake, training=True)
            loss = entropy(tf.ones((batch, 1)), real_logits) + entropy(tf.zeros((batch, 1)), fake_logits)
        d_optimizer.apply_gradients(zip(tape.gradient(loss, d.trainable_weights), d.trainable_weights, strict=True))
        with tf.GradientTape() as tape:
            fake_logits = d(g(gan.prior.sample(batch, seed), training=True), training=True)
            loss = entropy(tf.ones((batch, 1)), fake_logits)
        g_optimizer.apply_gradients(zip(tape.gradient(loss, g.trainable_weights), g.trainable_weights, strict=True))

    for by_hand, ours in zip([*g.weights, *d.weights], gan.weights, strict=True):
        assert not np.allclose(0, ops.convert_to_numpy(ours)) or "bias" in ours.path or "beta" in ours.path
        np.testing.assert_allclose(ours, by_hand, atol=1e-6, err_msg=ours.path)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="the hand is TensorFlow's")
def test_simultaneous_update_equals_two_tapes_by_hand_on_the_same_fakes(points):
    batch, steps = 32, 5
    L = keras.layers
    generator = keras.Sequential(
        [keras.Input((4,)), L.Dense(16, use_bias=False), L.BatchNormalization(), L.ReLU(), L.Dense(2)]
    )
    discriminator = keras_gan.architectures.mlp_discriminator((2,), units=(16,), dropout=0.0)
    g, d = keras.models.clone_model(generator), keras.models.clone_model(discriminator)
    g.set_weights(generator.get_weights())
    d.set_weights(discriminator.get_weights())

    gan = keras_gan.GAN(generator, discriminator, seed=3, ema=None)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2), simultaneous=True, penalties=())
    gan.fit(points[: batch * steps], batch_size=batch, shuffle=False, verbose=0)

    seed = keras.random.SeedGenerator(3)
    for i in range(steps):
        real = points[i * batch : (i + 1) * batch]
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            real_logits, fake_logits = d(real), d(g(gan.prior.sample(batch, seed), training=True))
            g_loss = tf.reduce_mean(tf.math.softplus(-fake_logits))
            d_loss = tf.reduce_mean(tf.math.softplus(-real_logits) + tf.math.softplus(fake_logits))
        d_gradients = d_tape.gradient(d_loss, d.trainable_weights)
        for network, rate, gradients in (
            (g, 0.1, g_tape.gradient(g_loss, g.trainable_weights)),
            (d, 0.2, d_gradients),
        ):
            for weight, gradient in zip(network.trainable_weights, gradients, strict=True):
                weight.assign_sub(rate * gradient)
    for by_hand, ours in zip([*g.weights, *d.weights], gan.weights, strict=True):
        np.testing.assert_allclose(ours, by_hand, atol=1e-6, err_msg=ours.path)


def test_simultaneous_and_several_discriminator_steps_exclude_each_other(make_gan):
    with pytest.raises(ValueError, match="discriminator_steps must be 1 with simultaneous=True"):
        make_gan(simultaneous=True, discriminator_steps=2)


def test_simultaneous_is_saved(points, make_gan, tmp_path):
    gan = make_gan(simultaneous=True)
    gan.fit(points, batch_size=64, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.simultaneous
    for one in (gan, loaded):
        one.fit(points, batch_size=64, shuffle=False, verbose=0)
    assert_equal_state(gan, loaded)


def test_each_player_moves_its_own_weights_only(points, make_gan):
    still = keras.optimizers.SGD(0.0)
    gan = make_gan(generator_optimizer=keras.optimizers.SGD(0.1), discriminator_optimizer=still)
    before = gan.generator.get_weights(), gan.discriminator.get_weights()
    gan.fit(points, batch_size=64, verbose=0)
    for old, new in zip(before[1], gan.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(before[0], gan.generator.get_weights(), strict=True))


def test_trains_to_the_data(points, make_gan):
    rates = [keras.optimizers.schedules.CosineDecay(2e-3, 1200) for _ in range(2)]
    gan = make_gan(
        generator_optimizer=keras.optimizers.Adam(rates[0], beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(rates[1], beta_1=0.5),
    )
    gan.fit(np.tile(points, (16, 1)), batch_size=64, epochs=19, verbose=0)
    samples = gan.sample(2000, seed=0)
    np.testing.assert_allclose(samples.mean(0), [2, -1], atol=0.2)
    assert 0.15 < samples[:, 0].std() < 0.9
    assert 0.25 < samples[:, 1].std() < 1.1


def test_logs_are_the_losses_and_accuracies_of_the_epoch(points, make_gan):
    gan = make_gan(generator_optimizer=keras.optimizers.SGD(0.0), discriminator_optimizer=keras.optimizers.SGD(0.0))
    gan.discriminator.layers[-1].set_weights([np.zeros((16, 1)), np.array([1.0])])
    history = gan.fit(points, batch_size=100, verbose=0).history
    assert set(history) == LOGS | HEALTH
    # All logits are 1: softplus(-1) + softplus(1), and softplus(-1).
    np.testing.assert_allclose(history["discriminator_loss"], [0.313262 + 1.313262], atol=1e-5)
    np.testing.assert_allclose(history["generator_loss"], [0.313262], atol=1e-5)
    assert history["real_accuracy"] == [1.0] and history["fake_accuracy"] == [0.0]


def test_logged_loss_is_the_adversarial_term_alone(points):
    heavy = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(10.0))])
    gan = keras_gan.GAN(keras_gan.architectures.mlp_generator((2,), 4, units=(8,)), heavy, ema=None)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.01), penalties=())
    before = heavy.get_weights()[0]
    logs = gan.fit(points, batch_size=256, verbose=0).history
    real, fake = (heavy.predict(x, verbose=0) for x in (points, gan.sample(256)))
    assert logs["discriminator_loss"][0] < 10
    # A regularizer still acts: the kernel shrinks by about 2 * 10 * 0.01.
    assert np.linalg.norm(heavy.get_weights()[0]) < 0.95 * np.linalg.norm(before)
    assert np.isfinite([real, fake]).all()


def test_a_smaller_last_batch_counts_by_its_size(make_gan):
    gan = make_gan(generator_optimizer=keras.optimizers.SGD(0.0), discriminator_optimizer=keras.optimizers.SGD(0.0))
    kernel = np.zeros((2, 16))
    kernel[0, 0] = 1
    gan.discriminator.layers[0].set_weights([kernel, np.zeros(16)])
    gan.discriminator.layers[-1].set_weights([np.eye(16)[:, :1], np.zeros(1)])
    # Logit = x0 where x0 > 0: 30 reals are judged real, the 10 of the last batch are not.
    x = np.zeros((40, 2), "float32")
    x[:30, 0] = 1
    logs = gan.fit(x, batch_size=30, shuffle=False, verbose=0).history
    np.testing.assert_allclose(logs["real_accuracy"], [0.75])


def test_generator_objective_gives_real_logits_to_a_loss_that_asks(points, make_gan):
    seen = []

    class Curious:
        def discriminator(self, real_logits, fake_logits):
            return ops.mean(fake_logits) - ops.mean(real_logits)

        def generator(self, real_logits, fake_logits):
            seen.append(real_logits)
            return -ops.mean(fake_logits)

    make_gan(loss=Curious()).fit(points, batch_size=64, verbose=0)
    assert seen and all(logits is not None for logits in seen)
    cheap = keras_gan.losses.NonSaturating()
    assert not cheap.generator_uses_real


# === Data of fit ===


class Batches(keras.utils.PyDataset):
    def __init__(self, x, labels):
        super().__init__()
        self.x, self.labels = x, labels

    def __len__(self):
        return 4

    def __getitem__(self, i):
        x = self.x[i * 64 : (i + 1) * 64]
        return (x, np.zeros(len(x))) if self.labels else x


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("kind", ["numpy", "tf.data", "PyDataset", "generator"])
def test_fit_takes(kind, labels, points, make_gan):
    gan = make_gan()
    y = np.zeros(len(points))
    if kind == "numpy":
        gan.fit(points, y if labels else None, batch_size=64, verbose=0)
    elif kind == "tf.data":
        dataset = tf.data.Dataset.from_tensor_slices((points, y) if labels else points).batch(64)
        gan.fit(dataset, verbose=0)
    elif kind == "PyDataset":
        gan.fit(Batches(points, labels), verbose=0)
    else:
        batches = (Batches(points, labels)[i] for i in range(4))
        gan.fit(batches, steps_per_epoch=4, verbose=0)
    assert int(gan.optimizer.iterations) == 4


class Endless(keras.utils.PyDataset):
    """Infinite stream that is its own iterator, as some of Keras's."""

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return np.full((8, 2), i, "float32")

    def __iter__(self):
        return self

    def __next__(self):
        return self[0]


def test_a_py_dataset_that_is_its_own_iterator_keeps_its_length(make_gan):
    gan = make_gan()
    gan.fit(Endless(), epochs=2, verbose=0, validation_data=Endless())
    assert int(gan.optimizer.iterations) == 6
    assert len(gan.evaluate(Endless(), verbose=0)) == 4


def test_a_py_dataset_is_shuffled_between_epochs(make_gan):
    seen = []

    class Seen(Endless):
        def __getitem__(self, i):
            seen.append(i)
            return super().__getitem__(i)

        def __len__(self):
            return 8

    make_gan().fit(Seen(), epochs=6, verbose=0)
    epochs = [tuple(seen[-8 * i : len(seen) - 8 * (i - 1)]) for i in range(5, 0, -1)]
    assert all(sorted(epoch) == list(range(8)) for epoch in epochs) and len(set(epochs)) > 2


# Keras warns of every generator that ends.
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_a_generator_loses_no_batch_to_the_check(make_gan):
    seen = []
    gan = make_gan(run_eagerly=True)
    step = gan.adversarial_step
    gan.adversarial_step = lambda data: (seen.append(float(data[0][0, 0])), step(data))[1]
    gan.fit((np.full((8, 2), i, "float32") for i in range(3)), verbose=0)
    assert seen[:1] == [0.0] and seen[-1] == 2.0 and set(seen) == {0.0, 1.0, 2.0}


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_validation_from_a_generator_keeps_its_first_batch(make_gan, points):
    gan = make_gan()
    seen = []
    gan.compile(run_eagerly=True, penalties=())
    step = gan.evaluation_step
    gan.evaluation_step = lambda data: (seen.append(float(data[0][0, 0])), step(data))[1]
    batches = (np.full((8, 2), i, "float32") for i in range(3))
    gan.fit(points[:8], verbose=0, validation_data=batches)
    assert seen == [0.0, 1.0, 2.0]


def test_integer_and_double_data_train(points, make_gan):
    for dtype in ("int32", "float64", "float16"):
        logs = make_gan().fit(points.astype(dtype), batch_size=64, verbose=0).history
        assert np.isfinite(logs["discriminator_loss"]).all()


def test_fit_on_a_dataset_warns_of_nothing(points, make_gan, recwarn):
    make_gan().fit(tf.data.Dataset.from_tensor_slices(points).batch(64), verbose=0)
    assert not [str(w.message) for w in recwarn if "shuffle" in str(w.message)]


# === Evaluating and sampling ===


def test_evaluation_is_repeatable_and_leaves_training_alone(points, make_gan):
    gan, other = make_gan(), make_gan()
    gan.fit(points, batch_size=64, verbose=0, validation_data=points[:100])
    first = gan.evaluate(points, verbose=0, return_dict=True)
    gan.sample(3)
    gan.sample(3, seed=1)
    assert gan.evaluate(points, verbose=0, return_dict=True) == first
    assert set(first) == LOGS
    gan.fit(points, batch_size=64, verbose=0, shuffle=False)
    for _ in range(2):
        other.fit(points, batch_size=64, verbose=0, shuffle=bool(_ == 0))
    np.testing.assert_array_equal(gan.training_seed.state, other.training_seed.state)


def test_sample_is_reproducible_by_seed(make_gan):
    gan = make_gan()
    np.testing.assert_array_equal(gan.sample(300, seed=1), gan.sample(300, seed=1))
    assert np.abs(gan.sample(5, seed=1) - gan.sample(5, seed=2)).max() > 1e-3
    assert np.abs(gan.sample(5) - gan.sample(5)).max() > 1e-3
    assert gan.sample(300, seed=1).shape == (300, 2)


def test_call_and_predict_map_latents(make_gan):
    gan = make_gan(compiled=False)
    latents = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
    expected = ops.convert_to_numpy(gan.generator(latents))
    np.testing.assert_allclose(ops.convert_to_numpy(gan(latents)), expected, atol=1e-6)
    np.testing.assert_allclose(gan.predict(latents, verbose=0), expected, atol=1e-6)


@pytest.fixture
def ctrl_c():
    """A function that presses Ctrl-C, in a process that may have been started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


@pytest.mark.parametrize("at", [1, 4])
@pytest.mark.parametrize(("loop", "steps"), [("fit", "steps_per_epoch"), ("evaluate", "steps"), ("predict", "steps")])
def test_ctrl_c_leaves_a_gan_that_goes_on(loop, steps, at, points, make_gan, ctrl_c):
    gan = make_gan()
    gan.fit(points, verbose=0)

    def batches():
        for i in range(8):
            if i == at:
                ctrl_c()
            yield (points[:32, [0, 1, 0, 1]],) if loop == "predict" else points[:32]

    with pytest.raises(KeyboardInterrupt):
        getattr(gan, loop)(batches(), verbose=0, **{steps: 8})
    done = int(gan.optimizer.iterations)
    assert 8 <= done < (16 if loop == "fit" else 9)
    assert np.isfinite(gan.sample(4)).all()
    gan.fit(points, verbose=0)
    assert int(gan.optimizer.iterations) == done + 8


def test_ctrl_c_within_a_step_saves_it(points, make_gan, ctrl_c, tmp_path):
    gan = make_gan()

    def fit(pressed):
        def batches():
            for i in range(8):
                if i == 4 and pressed:
                    ctrl_c()
                yield points[:32]

        backup = keras_gan.callbacks.BackupAndRestore(tmp_path / "backup")
        gan.fit(batches(), steps_per_epoch=8, verbose=0, callbacks=[backup])

    with pytest.raises(KeyboardInterrupt, match="Training ended at epoch 1, step"):
        fit(pressed=True)
    assert 0 < int(gan.optimizer.iterations) <= 8
    fit(pressed=False)
    assert int(gan.optimizer.iterations) == 8
    assert np.isfinite(gan.sample(4)).all()


def test_summary_shows_both_networks(make_gan):
    lines = []
    make_gan().summary(print_fn=lambda line, **_: lines.append(line))
    text = "\n".join(lines)
    assert "generator" in text and "discriminator" in text and "(None, 2)" in text
    # 4 inputs, 16 units, 2 outputs; 2, 16, 1.
    assert lines[-2:] == [
        "discriminator: 48 multiply-adds for one example",
        "generator: 96 multiply-adds for one example",
    ]


@keras.saving.register_keras_serializable(package="test")
class MeanGap(keras.metrics.Metric):
    """Number of examples, and the largest distance of a fake from a real one."""

    def __init__(self, name="mean_gap", **kwargs):
        super().__init__(name=name, **kwargs)
        self.n = self.add_weight(name="n", initializer="zeros")
        self.gap = self.add_weight(name="gap", initializer="zeros")

    def update_state(self, real, fake):
        self.n.assign_add(ops.cast(ops.shape(real)[0], "float32"))
        self.gap.assign(ops.maximum(self.gap, ops.max(ops.abs(real - fake))))

    def result(self):
        assert tf.executing_eagerly(), "results are for the host"
        return {"seen": float(self.n), "gap": float(self.gap)}


def test_metrics_are_filled_by_evaluation_and_stay_out_of_training(points, make_gan, tmp_path):
    gan = make_gan(metrics=[MeanGap()])
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "val_gap", save_best_only=True, mode="min")
    history = gan.fit(
        points, batch_size=64, epochs=3, verbose=0, validation_data=points[:100], callbacks=[checkpoint]
    ).history
    assert set(history) == LOGS | HEALTH | {f"val_{name}" for name in [*LOGS, "seen", "gap"]}
    assert history["val_seen"] == [100.0] * 3
    found = gan.evaluate(points, batch_size=60, verbose=0, return_dict=True)
    assert found["seen"] == 256.0 and set(found) == LOGS | {"seen", "gap"}
    fakes = gan.sample(1000, seed=0)
    assert 0 < found["gap"] < np.abs(points).max() + np.abs(fakes).max() + 1
    assert gan.evaluate(points, batch_size=60, verbose=0)[-2:] == [found["gap"], found["seen"]]
    best = keras.models.load_model(tmp_path / "best.keras")
    again = best.evaluate(points[:100], verbose=0, return_dict=True)
    np.testing.assert_allclose(again["gap"], min(history["val_gap"]), rtol=1e-5)


def test_compile_refuses_what_is_no_metric(make_gan):
    with pytest.raises(TypeError, match="metrics must be"):
        make_gan(metrics=["frechet_distance"])


def test_evaluate_checks_its_data(make_gan):
    with pytest.raises(ValueError, match="shape"):
        make_gan().evaluate(np.zeros((8, 3), "float32"), verbose=0)


# === Saving ===


def test_a_loaded_gan_goes_on_bit_for_bit(points, make_gan, tmp_path):
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 100)
    gan = make_gan(dropout=0.5, generator_optimizer=keras.optimizers.Adam(rate))
    gan.fit(points, batch_size=100, epochs=2, shuffle=False, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert isinstance(loaded, keras_gan.GAN)
    assert_equal_state(gan, loaded)
    for each in (gan, loaded):
        each.fit(points, batch_size=100, epochs=2, shuffle=False, verbose=0)
    assert_equal_state(gan, loaded)
    assert int(loaded.optimizer.iterations) == 12


def test_backup_and_restore_goes_on_bit_for_bit(points, make_gan, tmp_path):
    class Killed(Exception):
        pass

    def kill(epoch, logs):
        if epoch == 1:
            raise Killed

    straight, resumed = make_gan(dropout=0.5), make_gan(dropout=0.5)
    options = {"batch_size": 100, "epochs": 4, "shuffle": False, "verbose": 0}
    straight.fit(points, **options)
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    killer = keras.callbacks.LambdaCallback(on_epoch_begin=kill)
    with pytest.raises(Killed):
        resumed.fit(points, callbacks=[backup, killer], **options)
    resumed = make_gan(dropout=0.5)
    resumed.fit(points, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)], **options)
    assert_equal_state(straight, resumed)


def test_saving_makes_no_optimizer(make_gan, tmp_path, monkeypatch):
    """It would take memory at each save, and on JAX all processes. If the last line fails, Keras is fixed."""
    gan, made = make_gan(), []
    init = keras.optimizers.Optimizer.__init__
    monkeypatch.setattr(keras.optimizers.Optimizer, "__init__", lambda *a, **k: made.append(None) or init(*a, **k))
    gan.save(tmp_path / "gan.keras")
    assert not made
    source = inspect.getsource(saving_lib.get_attr_skipset)
    assert "saving_attr_skiplist_" in source and "saving_attr_skipset_" in source


def test_weights_file_restores_everything(points, make_gan, tmp_path):
    gan = make_gan(dropout=0.5)
    gan.fit(points, batch_size=100, verbose=0)
    gan.save_weights(tmp_path / "gan.weights.h5")
    other = make_gan(dropout=0.5, seed=9)
    other.load_weights(tmp_path / "gan.weights.h5")
    assert_equal_state(gan, other)


def test_a_gan_loaded_without_compiling_samples_the_same(points, make_gan, tmp_path):
    gan = make_gan(loss="minimax")
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras", compile=False)
    np.testing.assert_array_equal(loaded.sample(4, seed=0), gan.sample(4, seed=0))
    with pytest.raises(ValueError, match="compile"):
        loaded.fit(points)
    assert isinstance(keras.models.load_model(tmp_path / "gan.keras").loss, keras_gan.losses.Minimax)


def test_config_keeps_prior_and_seed():
    A = keras_gan.architectures
    gan = keras_gan.GAN(
        A.mlp_generator((2,), 4, units=(8,)),
        A.mlp_discriminator((2,), units=(8,)),
        prior=keras_gan.priors.Uniform(4, -2, 2),
        seed=7,
        name="mine",
        ema=None,
    )
    again = keras_gan.GAN.from_config(gan.get_config())
    assert (again.seed, again.name, again.prior.low, again.prior.high) == (7, "mine", -2.0, 2.0)


def test_a_subclassed_generator_trains_saves_and_loads(points, tmp_path):
    @keras.saving.register_keras_serializable(package="test")
    class Own(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return {}

    discriminator = keras_gan.architectures.mlp_discriminator((2,), units=(8,))
    gan = keras_gan.GAN(Own(), discriminator, prior=keras_gan.priors.Normal(3), ema=None)
    gan.compile(penalties=())
    gan.fit(points, batch_size=64, verbose=0)
    gan.save(tmp_path / "own.keras")
    loaded = keras.models.load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(loaded.sample(4, seed=0), gan.sample(4, seed=0))


# === Optimizers ===


def test_learning_rate_callbacks_keep_the_ratio(points, make_gan):
    gan = make_gan(generator_optimizer=keras.optimizers.Adam(1e-3), discriminator_optimizer=keras.optimizers.Adam(4e-3))
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: [0.0, 5e-4][epoch])
    gan.fit(points, batch_size=128, epochs=2, verbose=0, callbacks=[schedule])
    np.testing.assert_allclose(float(gan.generator_optimizer.learning_rate), 5e-4, rtol=1e-6)
    np.testing.assert_allclose(float(gan.discriminator_optimizer.learning_rate), 2e-3, rtol=1e-6)
    plateau = keras.callbacks.ReduceLROnPlateau("generator_loss", factor=0.1, patience=1, min_delta=1e9, mode="min")
    gan.fit(points, batch_size=128, epochs=2, verbose=0, callbacks=[plateau])
    np.testing.assert_allclose(float(gan.generator_optimizer.learning_rate), 5e-5, rtol=1e-5)
    np.testing.assert_allclose(float(gan.discriminator_optimizer.learning_rate), 2e-4, rtol=1e-5)


def test_optimizers_with_moving_averages_are_finalized(points, make_gan):
    average = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
    plain, averaged = make_gan(generator_optimizer=keras.optimizers.SGD(0.1)), make_gan(generator_optimizer=average)
    for gan in (plain, averaged):
        gan.fit(points, batch_size=64, shuffle=False, verbose=0)
    for weight, mean in zip(averaged.generator.weights, average._model_variables_moving_average, strict=True):
        np.testing.assert_allclose(weight, mean)
    assert np.abs(plain.generator.get_weights()[0] - averaged.generator.get_weights()[0]).max() > 1e-5


def test_optimizers_come_by_name(points, make_gan):
    gan = make_gan(generator_optimizer="sgd", discriminator_optimizer="adam")
    assert isinstance(gan.generator_optimizer, keras.optimizers.SGD)
    assert gan.optimizer.iterations is gan.generator_optimizer.iterations


@pytest.mark.parametrize("ema", [None, 0.5])
def test_samples_are_the_generators_whatever_their_number(ema):
    generator = keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=(16,))
    gan = keras_gan.GAN(generator, keras_gan.architectures.mlp_discriminator((2,), units=(16,)), ema=ema)
    for n in (1, 5, 16, 17, 128, 300):
        expected = ops.convert_to_numpy(generator(gan.prior.sample(n, 3), training=False))
        np.testing.assert_allclose(gan.sample(n, seed=3), expected, rtol=1e-5, atol=1e-6)
    # The current weights, not those of the first call.
    generator.set_weights([w + 0.5 for w in generator.get_weights()])
    expected = ops.convert_to_numpy(generator(gan.prior.sample(5, 3), training=False))
    np.testing.assert_allclose(gan.sample(5, seed=3), expected, rtol=1e-5, atol=1e-6)


def test_sampling_compiles_once_where_the_backend_compiles(points):
    traced = []

    class Traced(keras.layers.Layer):
        def call(self, x):
            traced.append(x.shape)
            return x

    generator = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), Traced()])
    gan = keras_gan.GAN(generator, keras_gan.architectures.mlp_discriminator((2,), units=(4,)), ema=None)
    gan.sample(3)
    traced.clear()
    for n in (5, 7, 40, 130):
        gan.sample(n)
    # TensorFlow learns from the second size that the batch varies.
    assert len(traced) <= {"tensorflow": 1, "jax": 0, "torch": 5}[keras.config.backend()]


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="the warning is TensorFlow's")
def test_gans_that_sample_one_after_the_other_are_not_taken_for_one_that_is_compiled_again(make_gan, caplog):
    for _ in range(6):
        make_gan(compiled=False).sample(3)
    assert "retracing" not in caplog.text
