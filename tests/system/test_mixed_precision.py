import keras
import numpy as np
import pytest
from keras import ops

import keras_gan


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16"])
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def _moves(gan, points):
    before = gan.get_weights()
    gan.fit(points, batch_size=64, shuffle=False, verbose=0)
    return [a - b for a, b in zip(gan.get_weights(), before, strict=True)]


def test_small_gradients_arrive(policy, points, make_gan):
    """Compared with float32: gradients of 1e-8 survive float16 only if they are scaled."""
    options = {"penalties": [keras_gan.penalties.R1(0.1)]}

    def train():
        gan = make_gan(
            generator_optimizer=keras.optimizers.SGD(0.01),
            discriminator_optimizer=keras.optimizers.SGD(0.01),
            **options,
        )
        # The head sees the features a million times smaller, and so do the gradients below it.
        kernel, bias = gan.discriminator.layers[-1].get_weights()
        gan.discriminator.layers[-1].set_weights([kernel * 1e-6, bias])
        return gan, _moves(gan, points)

    gan, half = train()
    assert all(w.dtype == "float32" for w in gan.weights)
    keras.config.set_dtype_policy("float32")
    _, full = train()
    assert any(np.abs(move).max() > 0 for move in full)
    for a, b in zip(half, full, strict=True):
        np.testing.assert_allclose(a, b, atol=0.1 * np.abs(b).max() + 1e-12)


def test_loss_scales_are_logged_in_float16_alone(policy, points, make_gan):
    gan = make_gan()
    logs = gan.fit(points, batch_size=64, verbose=0).history
    scales = {name for name in logs if name.endswith("loss_scale")}
    if policy == "mixed_bfloat16":
        assert scales == set() and isinstance(gan.generator_optimizer, keras.optimizers.Adam)
    else:
        assert scales == {"generator_loss_scale", "discriminator_loss_scale"}
        assert logs["generator_loss_scale"] == [2.0**15]
    assert np.isfinite(np.hstack(list(logs.values()))).all()


def test_an_overflow_skips_one_players_step(policy, points, make_gan):
    if policy != "mixed_float16":
        pytest.skip("bfloat16 has the range of float32")
    huge = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**40)
    gan = make_gan(generator_optimizer=huge, discriminator_optimizer=keras.optimizers.SGD(0.1))
    before = gan.generator.get_weights(), gan.discriminator.get_weights()
    logs = gan.fit(points[:64], batch_size=64, verbose=0).history
    for a, b in zip(gan.generator.get_weights(), before[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(np.abs(a - b).max() > 0 for a, b in zip(gan.discriminator.get_weights(), before[1], strict=True))
    assert float(ops.convert_to_numpy(gan.generator_optimizer.dynamic_scale)) == 2.0**39
    assert logs["generator_gradient_norm"] == [0.0] and logs["discriminator_gradient_norm"][0] > 0


def test_a_loaded_gan_keeps_its_scales(policy, points, make_gan, tmp_path):
    gan = make_gan()
    gan.fit(points, batch_size=64, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert type(loaded.generator_optimizer) is type(gan.generator_optimizer)
    for each in (gan, loaded):
        each.fit(points, batch_size=64, shuffle=False, verbose=0)
    for a, b in zip(gan.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_optimizer_for_both_is_refused(policy, make_gan):
    optimizer = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="two objects"):
        make_gan(generator_optimizer=optimizer, discriminator_optimizer=optimizer)


class _Largest(keras.metrics.Metric):
    """Largest real and fake number so far."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.largest = self.add_weight((2,), "zeros", "float32", "largest")

    def update_state(self, real, fake):
        both = keras.ops.stack([keras.ops.max(real), keras.ops.max(fake)])
        self.largest.assign(keras.ops.maximum(self.largest, keras.ops.cast(both, "float32")))

    def result(self):
        return dict(zip(("real", "fake"), keras.ops.convert_to_numpy(self.largest).tolist(), strict=True))


def test_metrics_compare_data_that_nothing_has_rounded(policy, make_gan):
    # A number that needs more than the 8 or 11 bits of half precision.
    x = np.full((64, 2), 100 + 2**-10, "float32")
    gan = make_gan(metrics=[_Largest(name="largest")])
    gan.generator.layers[-1].set_weights([np.zeros((16, 2)), x[0]])
    found = gan.evaluate(x, verbose=0, return_dict=True)
    assert found["real"] == found["fake"] == x[0, 0]


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="two steps tell nothing of torch in half precision")
@pytest.mark.parametrize("policy", ["float16", pytest.param("bfloat16", marks=pytest.mark.long), "float64"])
def test_builders_train_under_pure_policies(policy, points):
    """Last layers stay in float32, so that types differ within a network."""
    A, labels = keras_gan.architectures, np.arange(64) % 3
    if policy == "float64":
        keras.config.set_floatx(policy)
    keras.config.set_dtype_policy(policy)
    try:
        for condition in (None, keras_gan.conditions.Labels(3), keras_gan.conditions.Codes([3], 2)):
            gan = keras_gan.GAN(
                A.mlp_generator((2,), 9, units=(8,), condition=condition),
                A.mlp_discriminator((2,), units=(8,), condition=condition),
                ema=0.9,
                seed=0,
            )
            gan.compile(penalties=[keras_gan.penalties.R1(1.0)])
            # A copy: torch's arrays share the memory of the weights.
            before = [np.array(w, "float64") for w in gan.generator.get_weights()]
            logs = gan.fit(points[:64], labels if gan.condition.given_name else None, verbose=0).history
            assert np.isfinite(logs["discriminator_loss"]).all() and 0.1 < logs["discriminator_loss"][0] < 10
            after = [np.array(w, "float64") for w in gan.generator.get_weights()]
            assert any(np.abs(a - b).max() > 0 for a, b in zip(before, after, strict=True))
    finally:
        keras.config.set_dtype_policy("float32")
        keras.config.set_floatx("float32")
