"""Penalties with state, with an interval, and of the generator."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_gan

P = keras_gan.penalties


def _arrays(variables):
    return [ops.convert_to_numpy(v) for v in variables]


def test_lecam_follows_its_formula_and_is_kept_in_files(points, make_gan, tmp_path):
    still = [keras.optimizers.SGD(0.0) for _ in range(2)]
    gan = make_gan(
        generator_optimizer=still[0], discriminator_optimizer=still[1], penalties=[P.LeCam(weight=0.5, decay=0.9)]
    )
    kernel, bias = gan.discriminator.layers[-1].get_weights()
    gan.discriminator.layers[-1].set_weights([kernel * 0, bias + 2.0])
    logs = gan.fit(points[:96], batch_size=32, verbose=0).history
    # All logits are 2; the averages are 0.2, 0.38, 0.542 at the three steps.
    averages = np.array([0.2, 0.38, 0.542])
    assert logs["le_cam"] == pytest.approx([(0.5 * 2 * np.square(2 - averages)).mean()], rel=1e-5)
    (lecam,) = gan.penalties
    assert float(ops.convert_to_numpy(lecam.real_mean)) == pytest.approx(0.542, rel=1e-5)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert float(ops.convert_to_numpy(loaded.penalties[0].fake_mean)) == pytest.approx(0.542, rel=1e-5)
    for each in (gan, loaded):
        each.fit(points[:64], batch_size=32, shuffle=False, verbose=0)
    assert float(ops.convert_to_numpy(loaded.penalties[0].real_mean)) == pytest.approx(2 - 2 * 0.9**5, rel=1e-5)
    # A file without its compile options loads, too.
    assert keras.models.load_model(tmp_path / "gan.keras", compile=False).sample(2).shape == (2, 2)


def test_lecam_pulls_logits_together(points, make_gan):
    def gap(penalties):
        gan = make_gan(
            generator_optimizer=keras.optimizers.SGD(0.0),
            discriminator_optimizer=keras.optimizers.Adam(1e-2),
            penalties=penalties,
        )
        gan.fit(points, batch_size=32, epochs=10, verbose=0)
        real, fake = (gan.discriminator.predict(x, verbose=0).mean() for x in (points, gan.sample(256, seed=0)))
        return real - fake

    assert gap([P.LeCam(10.0)]) < 0.5 * gap([])


@pytest.mark.parametrize("penalty", [P.R1, P.GradientPenalty])
def test_an_interval_leaves_the_mean_and_most_of_the_work(penalty, points, make_gan):
    still = {name: keras.optimizers.SGD(0.0) for name in ("generator_optimizer", "discriminator_optimizer")}
    every = make_gan(**still, penalties=[penalty(2.0)])
    still = {name: keras.optimizers.SGD(0.0) for name in ("generator_optimizer", "discriminator_optimizer")}
    lazy = make_gan(**still, penalties=[penalty(2.0, interval=4)])
    name = "r1" if penalty is P.R1 else "gradient_penalty"
    # Weights are fixed and all batches equal: each step has the same R1.
    x = np.tile(points[:32], (8, 1))
    plain, rare = (gan.fit(x, batch_size=32, shuffle=False, verbose=0).history[name][0] for gan in (every, lazy))
    assert rare == pytest.approx(plain, rel=1e-5 if penalty is P.R1 else 0.5) and plain > 1e-4
    # It is computed in three of 9 steps.
    nine = lazy.fit(np.tile(points[:32], (9, 1)), batch_size=32, shuffle=False, verbose=0).history[name][0]
    assert nine == pytest.approx(plain * 4 * 3 / 9, rel=1e-5 if penalty is P.R1 else 0.5)


def test_mode_seeking_by_hand():
    x = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 9.0]], "float32")
    penalty = P.ModeSeeking(2.0)
    found = penalty(lambda latents, given: 3 * latents, ops.convert_to_tensor(x), None, 3 * ops.convert_to_tensor(x))
    assert float(ops.convert_to_numpy(found)) == pytest.approx(2 / 3, rel=1e-4)


def test_mode_seeking_acts_on_the_generator_alone(points, make_gan):
    def run(penalties):
        gan = make_gan(
            generator_optimizer=keras.optimizers.Adam(5e-3),
            discriminator_optimizer=keras.optimizers.SGD(0.0),
            generator_penalties=penalties,
        )
        before = _arrays(gan.discriminator.weights)
        logs = gan.fit(points, batch_size=32, epochs=5, verbose=0).history
        for a, b in zip(before, _arrays(gan.discriminator.weights), strict=True):
            np.testing.assert_array_equal(a, b)
        latents = gan.prior.sample(256, seed=0)
        ratio = P.ModeSeeking(1.0)(lambda z, given: gan.generator(z), latents, None, gan.generator(latents))
        return float(ops.convert_to_numpy(ratio)), logs

    (plain, logs), (sought, with_penalty) = run([]), run([P.ModeSeeking(10.0)])
    assert 0 < sought < 0.8 * plain
    assert "mode_seeking" not in logs and with_penalty["mode_seeking"][-1] < with_penalty["mode_seeking"][0]


def test_penalties_in_the_wrong_list_are_refused(make_gan):
    with pytest.raises(TypeError, match=r"generator_penalties must be .*ModeSeeking.*Received: .*R1"):
        make_gan(generator_penalties=[P.R1()])
    with pytest.raises(TypeError, match=r"penalties must be .*Received: .*ModeSeeking"):
        make_gan(penalties=[P.ModeSeeking()])


def test_penalties_differentiate_by_the_picture(images):
    """As in StyleGAN2-ADA and R3GAN: the gradient runs through the augmentation."""

    @keras.saving.register_keras_serializable(package="tests")
    class Half(keras_gan.augmentation.Augmentation):
        def transform(self, images, uniform):
            return images / 2

    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((8, 8, 1), 4, units=(8,)),
        keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]),
        seed=0,
        ema=None,
    )
    gan.compile(penalties=[P.R1(2.0)], augmentation=Half())
    _, report = gan.discriminator_objective(ops.convert_to_tensor(images[:8]))
    kernel = gan.discriminator.layers[-1].get_weights()[0]
    found = float(ops.convert_to_numpy(report["penalties"]["r1"]))
    assert found == pytest.approx(np.square(kernel / 2).sum(), rel=1e-5)


def test_mode_seeking_of_one_example_is_none():
    penalty = keras_gan.penalties.ModeSeeking()
    one = ops.ones((1, 2))
    assert float(penalty(lambda latents, given: 3 * latents, one, None, 3 * one)) == 0


def test_lecam_judges_maps_by_their_means():
    penalty = keras_gan.penalties.LeCam(weight=1.0, decay=0.0)
    penalty.build()
    # Means 2 and 4 of reals, 0 of fakes: squares around 0, and around 3.
    maps = {"real": [[1.0, 3.0], [2.0, 6.0]], "fake": [[-1.0, 1.0], [5.0, -5.0]]}
    data = [ops.reshape(ops.convert_to_tensor(maps[name]), (2, 2, 1, 1)) for name in ("real", "fake")]
    assert float(penalty(lambda x: x, *data)) == pytest.approx((4 + 16) / 2 + 9)


def test_what_keeps_averages_belongs_to_one_model(points, make_gan):
    parts = {"penalties": [keras_gan.penalties.LeCam()]}
    gan = make_gan(**parts)
    gan.fit(points, batch_size=64, verbose=0)
    with pytest.raises(ValueError, match="LeCam must be a new object for each model"):
        make_gan(**parts)
    mean = float(parts["penalties"][0].real_mean)
    assert mean != 0
    # Another compile() resets state, and stateless penalties may be shared.
    gan.compile(**parts)
    assert float(parts["penalties"][0].real_mean) == 0
    shared = [keras_gan.penalties.R1(1.0)]
    make_gan(penalties=shared), make_gan(penalties=shared)


@pytest.mark.parametrize("n", [8, 9])
def test_what_no_pack_has_takes_no_part_in_penalties(n):
    linear = keras.layers.Dense(1, use_bias=False)
    discriminator = keras.Sequential([keras.Input((4,)), linear])
    linear.set_weights([np.full((4, 1), 0.5)])
    penalties = [keras_gan.penalties.GradientPenalty(10.0), keras_gan.penalties.R1(2.0)]
    gan = keras_gan.GAN(keras_gan.architectures.mlp_generator((2,), 3, units=(4,)), discriminator, pack=2, ema=None)
    gan.compile(penalties=penalties)
    data = np.random.default_rng(0).normal(size=(n, 2)).astype("float32")
    found = gan.train_on_batch(data, return_dict=True)
    # Each picture's own slope is that of its half of the weights.
    slope = 0.5**0.5
    assert float(found["gradient_penalty"]) == pytest.approx(10 * (slope - 1) ** 2, rel=1e-4)
    assert float(found["r1"]) == pytest.approx(slope**2, rel=1e-4)


@keras.saving.register_keras_serializable(package="tests")
class Diversity(keras_gan.penalties.GeneratorPenalty):
    def __call__(self, generator, latents, given, fake, seed=None):
        return ops.mean(ops.square(fake)) * 1e-4


def twice(discriminator, real, fake, seed=None):
    return 2.0 * ops.mean(discriminator(real))


def test_names_in_the_logs_are_of_one_thing(points, make_gan):
    with pytest.raises(ValueError, match=r"Logs must have different names.*'diversity' twice"):
        make_gan(generator_penalties=[Diversity()])
    metric = keras_gan.metrics.FrechetDistance(name="generator_loss")
    with pytest.raises(ValueError, match=r"Logs must have different names.*'generator_loss' twice"):
        make_gan(metrics=[metric])
    # A function keeps its name.
    logs = make_gan(penalties=[twice]).fit(points, batch_size=64, verbose=0).history
    assert "twice" in logs and "function" not in logs
