import keras
import numpy as np
import pytest
from keras import ops

import keras_gan
from keras_gan import health


def _diversity(real, fake):
    return float(health.diversity(ops.convert_to_tensor(real), ops.convert_to_tensor(fake)))


def test_diversity_is_a_ratio_of_distances_to_the_nearest_neighbour():
    # Nearest neighbors of the reals at 1, 1, 3: mean 5/3. Of the fakes at 2, 2, 2.
    real = np.array([[0.0, 0.0], [1.0, 0.0], [4.0, 0.0]], "float32") + 10_000
    fake = np.array([[0.0, 5.0], [0.0, 7.0], [0.0, 9.0]], "float32") + 10_000
    assert _diversity(real, fake) == pytest.approx(2 / (5 / 3), abs=1e-4)


def test_diversity_does_not_depend_on_layout_or_batch_alone():
    x = np.random.default_rng(0).normal(size=(64, 8, 8, 3)).astype("float32")
    assert _diversity(x, x) == pytest.approx(1)
    assert _diversity(x, 0.25 * x) == pytest.approx(0.25, abs=1e-4)
    assert _diversity(x.astype("float16"), x.astype("float16")) == pytest.approx(1)


def test_what_is_measured_stays_as_it_is():
    x = np.random.default_rng(0).normal(1.0, 1.0, (3, 8, 4, 4, 1)).astype("float32")
    tensors = [ops.convert_to_tensor(part.copy()) for part in x]
    health.diversity(*tensors[:2])
    health.measure_translation(*tensors)
    for tensor, part in zip(tensors, x, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(tensor), part)


def test_diversity_sees_a_few_things_over_and_over():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 100)).astype("float32")
    few = x[rng.integers(0, 4, 64)] + 1e-3 * rng.normal(size=(64, 100)).astype("float32")
    assert _diversity(x, few) < 0.01
    # The variance alone would not show it.
    assert few.std() > 0.8


def test_diversity_of_one_example_and_of_constants_is_finite():
    one = np.ones((1, 4), "float32")
    assert _diversity(one, one) == 1
    assert _diversity(np.ones((8, 4), "float32"), np.ones((8, 4), "float32")) == 1


def _logs(gan, points, **options):
    return {name: values[-1] for name, values in gan.fit(points, verbose=0, **options).history.items()}


def test_scores_and_divergence_of_known_logits(points, make_gan):
    still = [keras.optimizers.SGD(0.0) for _ in range(2)]
    gan = make_gan(generator_optimizer=still[0], discriminator_optimizer=still[1])
    gan.discriminator.layers[-1].set_weights([np.zeros((16, 1)), np.array([1.0])])
    logs = _logs(gan, points, batch_size=100)
    # sigmoid(1), and log 2 - (softplus(-1) + softplus(1)) / 2.
    assert logs["real_score"] == pytest.approx(0.731059, abs=1e-5)
    assert logs["fake_score"] == pytest.approx(0.731059, abs=1e-5)
    assert logs["implied_jensen_shannon"] == pytest.approx(0.693147 - 1.626524 / 2, abs=1e-5)
    hinge = make_gan(
        loss="hinge", generator_optimizer=keras.optimizers.SGD(0.0), discriminator_optimizer=keras.optimizers.SGD(0.0)
    )
    hinge.discriminator.layers[-1].set_weights([np.zeros((16, 1)), np.array([1.5])])
    logs = _logs(hinge, points, batch_size=100)
    assert logs["real_score"] == pytest.approx(1.5) and "implied_jensen_shannon" not in logs


def test_smoothing_takes_the_divergence_away(points, make_gan):
    assert "implied_jensen_shannon" in _logs(make_gan(loss="minimax"), points)
    smooth = keras_gan.losses.NonSaturating(label_smoothing=0.1)
    assert "implied_jensen_shannon" not in _logs(make_gan(loss=smooth), points)


def test_gradient_norms_are_those_of_the_update(points, make_gan):
    rates = {"generator_optimizer": 1e-3, "discriminator_optimizer": 2e-3}
    gan = make_gan(**{name: keras.optimizers.SGD(rate) for name, rate in rates.items()})
    before = [network.get_weights() for network in (gan.generator, gan.discriminator)]
    logs = _logs(gan, points, batch_size=256)
    after = [network.get_weights() for network in (gan.generator, gan.discriminator)]
    for (name, rate), old, new in zip(rates.items(), before, after, strict=True):
        moved = np.sqrt(sum(np.square(a - b).sum() for a, b in zip(old, new, strict=True)))
        assert logs[name.replace("optimizer", "gradient_norm")] == pytest.approx(moved / rate, rel=1e-2)
        assert moved > 0


def test_diversity_compares_the_first_256():
    x = np.random.default_rng(0).normal(size=(300, 2)).astype("float32")
    first = float(health.diversity(x[:256], 3 * x[:256]))
    assert float(health.diversity(x, np.concatenate([3 * x[:256], x[:44] * 0]))) == pytest.approx(first, rel=1e-6)
    assert first == pytest.approx(3, rel=1e-4)
    assert float(health.diversity(x[:250], 3 * x[:250] + 1)) == pytest.approx(3, rel=1e-4)


def test_the_error_relative_to_the_mean_of_all():
    target = np.array([[0.0, 2.0], [2.0, 4.0]])[:, None, None]
    # Each target lies 1 from their mean.
    assert float(health.relative_error(target, target + 0.5)) == pytest.approx(0.5)
    assert float(health.relative_error(target[:1], target[:1] + 0.5)) == 1
