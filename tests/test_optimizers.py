"""Optimizers of several players behind one `model.optimizer`."""

import keras
import numpy as np
import pytest

K = keras.optimizers


def test_rates_move_together_and_keep_their_ratio_in_files(make_gan, tmp_path):
    gan = make_gan(generator_optimizer=K.Adam(1e-3), discriminator_optimizer=K.Adam(4e-3))
    gan.optimizer.learning_rate.assign(1e-4)
    assert float(gan.generator_optimizer.learning_rate) == pytest.approx(1e-4)
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(4e-4)
    assert float(gan.optimizer.learning_rate) == pytest.approx(1e-4)
    # Decayed to 0, they have no ratio left.
    gan.optimizer.learning_rate = 0.0
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    loaded.optimizer.learning_rate = 2e-3
    assert float(loaded.generator_optimizer.learning_rate) == pytest.approx(2e-3)
    assert float(loaded.discriminator_optimizer.learning_rate) == pytest.approx(8e-3)


def test_rates_without_a_ratio_are_not_guessed(make_gan):
    gan = make_gan(generator_optimizer=K.Adam(0.0), discriminator_optimizer=K.Adam(4e-4))
    with pytest.raises(ValueError, match=r"'discriminator': 0.0004.*no ratio to that of generator"):
        gan.optimizer.learning_rate = 1e-4
    both = make_gan(generator_optimizer=K.Adam(0.0), discriminator_optimizer=K.Adam(0.0))
    both.optimizer.learning_rate = 1e-4
    assert float(both.discriminator_optimizer.learning_rate) == pytest.approx(1e-4)


def test_optimizers_of_another_model_are_refused(make_gan):
    gan = make_gan()
    optimizers = gan.generator_optimizer, gan.discriminator_optimizer
    gan.compile(*optimizers, penalties=())
    with pytest.raises(ValueError, match=r"The optimizer of discriminator must be new.*the weights of another network"):
        make_gan(compiled=False).compile(*optimizers)


def test_both_players_averages_are_swapped(points, make_gan):
    gan = make_gan(
        generator_optimizer=K.SGD(0.1, use_ema=True, ema_momentum=0.9),
        discriminator_optimizer=K.SGD(0.1, use_ema=True, ema_momentum=0.5),
    )
    networks = gan.generator, gan.discriminator
    seen = {}

    class Look(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen["before"] = [n.get_weights() for n in networks]

        def on_test_begin(self, logs=None):
            seen["swapped"] = [n.get_weights() for n in networks]

    gan.fit(points, verbose=0, validation_data=points, callbacks=[keras.callbacks.SwapEMAWeights(), Look()])
    # `fit` ends with the averages as weights.
    for swapped, before, network in zip(seen["swapped"], seen["before"], networks, strict=True):
        for x, last in zip(swapped, network.get_weights(), strict=True):
            np.testing.assert_allclose(x, last, atol=1e-6)
        assert any(np.abs(x - old).max() > 1e-4 for x, old in zip(swapped, before, strict=True))


def test_without_averages_swapping_says_so(points, make_gan):
    with pytest.raises(ValueError, match="use_ema=True"):
        make_gan().fit(points, verbose=0, validation_data=points, callbacks=[keras.callbacks.SwapEMAWeights()])


def test_a_schedule_counts_the_models_steps(points, make_gan, tmp_path):
    def rate():
        return K.schedules.PolynomialDecay(1e-2, 16, 0.0)

    gan = make_gan(generator_optimizer=K.Adam(rate()), discriminator_optimizer=K.Adam(rate()), discriminator_steps=4)
    gan.fit(points, batch_size=32, verbose=0)
    # 8 of 16 steps, of 4 updates each.
    assert int(gan.discriminator_optimizer.iterations) == 32 and int(gan.generator_optimizer.iterations) == 8
    assert float(gan.generator_optimizer.learning_rate) == pytest.approx(5e-3, rel=1e-4)
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(5e-3, rel=1e-4)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    loaded.fit(points[:128], batch_size=32, verbose=0)
    assert float(loaded.discriminator_optimizer.learning_rate) == pytest.approx(2.5e-3, rel=1e-4)
    # The same optimizers with one update a step count these.
    loaded.compile(loaded.generator_optimizer, loaded.discriminator_optimizer, penalties=())
    assert float(loaded.discriminator_optimizer.learning_rate) == pytest.approx(0.0, abs=1e-9)
