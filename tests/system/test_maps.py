"""Patch discriminators: logits `(batch, height, width, 1)` in place of one for each example."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_gan
from keras_gan.penalties import R1, R2, GradientPenalty, LipschitzPenalty

L = keras.layers
LOSSES = sorted(keras_gan.losses._BY_NAME)
PENALTIES = [R1(1.0), R2(1.0), GradientPenalty(1.0), LipschitzPenalty(1.0)]


def patches(size=8):
    """Makes a discriminator of 8x8 images to a map of `(2, 2, 1)`, steep enough for a Lipschitz penalty."""
    # A bias at the end does not change losses of differences.
    steep = {"kernel_initializer": keras.initializers.RandomNormal(stddev=1.0, seed=0)}
    return keras.Sequential(
        [
            keras.Input((size, size, 1)),
            L.Conv2D(4, 4, 2, padding="same"),
            L.LeakyReLU(0.2),
            L.Conv2D(1, 4, 2, padding="same", use_bias=False, **steep),
        ]
    )


def block_means(scale=1.0, flat=False):
    """Makes a discriminator whose map is the means of the four quadrants of 8x8 images; flat, of the whole image."""
    mean = L.GlobalAveragePooling2D() if flat else L.AveragePooling2D(4)
    linear = L.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(scale))
    return keras.Sequential([keras.Input((8, 8, 1)), mean, linear])


def constant_generator(value):
    """Makes a generator of images of one value, for any latent; its weights are trainable."""
    bias = keras.initializers.Constant(np.arctanh(value))
    pixels = L.Dense(64, "tanh", kernel_initializer="zeros", bias_initializer=bias)
    return keras.Sequential([keras.Input((2,)), pixels, L.Reshape((8, 8, 1))])


def quadrants(*values):
    """Makes an image of four quadrants, `(1, 8, 8, 1)`."""
    return np.repeat(np.repeat(np.array(values, "float32").reshape(1, 2, 2, 1), 4, axis=1), 4, axis=2)


OPTIONS = [*((loss, []) for loss in LOSSES), *(("hinge", [penalty]) for penalty in PENALTIES)]


@pytest.mark.parametrize("simultaneous", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize(("loss", "penalties"), OPTIONS)
@pytest.mark.filterwarnings("ignore:loss=Wasserstein")
def test_every_loss_and_penalty_trains(loss, penalties, simultaneous, images):
    gan = keras_gan.GAN(keras_gan.architectures.dcgan_generator((8, 8, 1), 4, width=4), patches(), seed=0, ema=None)
    gan.compile(loss=loss, penalties=penalties, simultaneous=simultaneous)
    before = [w.numpy() for w in (*gan.generator.trainable_weights, *gan.discriminator.trainable_weights)]
    logs = gan.fit(images, batch_size=16, epochs=2, validation_data=images, verbose=0).history
    after = [w.numpy() for w in (*gan.generator.trainable_weights, *gan.discriminator.trainable_weights)]
    assert np.isfinite([*logs.values()]).all() and len(logs["val_generator_loss"]) == 2
    assert ("val_real_accuracy" in logs) == (loss != "wasserstein")
    for i, (a, b) in enumerate(zip(before, after, strict=True)):
        assert np.isfinite(b).all() and np.abs(a - b).max() > 1e-5, f"weight {i} has not moved"
    for penalty in penalties:
        assert logs[keras_gan.health.penalty_name(penalty)][0] > 0


def test_accuracies_and_scores_are_means_over_all_entries():
    real = np.concatenate([quadrants(0.9, 0.2, 0.7, -0.5), quadrants(0.6, -0.1, -0.2, -0.3)])
    fake = np.float32(0.4)
    for loss, real_accuracy, fake_accuracy in (("non_saturating", 0.5, 0.0), ("least_squares", 0.375, 1.0)):
        gan = keras_gan.GAN(constant_generator(0.4), block_means(), seed=0, ema=None)
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), loss=loss, penalties=())
        logs = {name: values[0] for name, values in gan.fit(real, validation_data=real, verbose=0).history.items()}
        maps = real[:, ::4, ::4]
        for prefix in ("", "val_"):
            assert logs[f"{prefix}real_accuracy"] == pytest.approx(real_accuracy, abs=1e-6)
            assert logs[f"{prefix}fake_accuracy"] == pytest.approx(fake_accuracy, abs=1e-6)
            if loss == "least_squares":
                expected = np.square(maps - 1).mean() / 2 + fake**2 / 2, (fake - 1) ** 2 / 2
            else:
                expected = np.log1p(np.exp(-maps)).mean() + np.log1p(np.exp(fake)), np.log1p(np.exp(-fake))
            found = logs[f"{prefix}discriminator_loss"], logs[f"{prefix}generator_loss"]
            np.testing.assert_allclose(found, expected, rtol=1e-5)
        scores = (maps, fake) if loss == "least_squares" else (1 / (1 + np.exp(-maps)), 1 / (1 + np.exp(-fake)))
        np.testing.assert_allclose(logs["real_score"], scores[0].mean(), rtol=1e-5)
        np.testing.assert_allclose(logs["fake_score"], scores[1], rtol=1e-5)
        if loss == "non_saturating":
            implied = np.log(2) - logs["discriminator_loss"] / 2
            assert logs["implied_jensen_shannon"] == pytest.approx(implied, abs=1e-5)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: type(p).__name__)
def test_a_penalty_differentiates_the_mean_of_a_map(penalty, images):
    real, fake = images[:6], images[6:12]

    # The mean of the quadrants' means is the mean of the image.
    def measured(judge):
        return float(ops.convert_to_numpy(penalty(judge, real, fake, seed=3)))

    value, flat = (measured(block_means(20.0, flat)) for flat in (False, True))
    assert value == pytest.approx(flat, rel=1e-5)
    # Of slope 20 / 64 at each of 64 pixels.
    norm = 20 / 8
    expected = norm**2 / 2 if isinstance(penalty, R1) else (norm - 1) ** 2
    assert value == pytest.approx(expected, rel=1e-5)
    # Any number of equal entries.
    one = block_means(20.0, True)
    for shape in ((1,), (2, 3, 1), (7, 1, 5, 1)):

        def repeated(x, shape=shape):
            return ops.broadcast_to(ops.reshape(one(x), (6, *[1] * len(shape))), (6, *shape))

        assert measured(repeated) == pytest.approx(flat, rel=1e-5)


def test_a_map_counts_as_one_image_for_adaptive_augmentation():
    for shape in ((10, 1), (10, 3, 4, 1)):
        layer = keras_gan.augmentation.AdaptiveAugmentation(ramp_images=200)
        layer.update(ops.ones(shape))
        assert float(layer.probability) == pytest.approx(0.05)
    # A mean of signs of 0.5 over all entries is below the target, one of 0.75 above it.
    half, most = np.ones((8, 2, 2, 1), "float32"), np.ones((8, 2, 2, 1), "float32")
    half[::2, 0], most[::2, 0, 0] = -1, -1
    layer.update(half)
    assert float(layer.probability) == pytest.approx(0.01)
    layer.update(most)
    assert float(layer.probability) == pytest.approx(0.05)


def test_alarms_ring():
    gan = keras_gan.GAN(constant_generator(-0.9), block_means(10.0), seed=0, ema=None)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), penalties=())
    health = keras_gan.callbacks.TrainingHealth(patience=2)
    real = quadrants(0.9, 0.8, 0.7, 0.6)
    # Darker in one pixel, as pictures are that are not in [0, 1].
    real[:, 0, 0] = -0.5
    real = real * np.linspace(0.9, 1, 8, dtype="float32")[:, None, None, None]
    logs = gan.fit(real, batch_size=4, epochs=2, verbose=0, callbacks=[health]).history
    assert {name for _, name, _ in health.alarms} == {"discriminator_won", "generator_collapsed"}
    assert logs["real_accuracy"] == logs["fake_accuracy"] == [1.0, 1.0]
    # An undecided discriminator has not won.
    gan = keras_gan.GAN(constant_generator(-0.9), block_means(0.0), seed=0, ema=None)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), penalties=())
    health = keras_gan.callbacks.TrainingHealth(patience=2)
    gan.fit(real, batch_size=4, epochs=2, verbose=0, callbacks=[health])
    assert {name for _, name, _ in health.alarms} == {"generator_collapsed"}


def test_a_map_of_unknown_size(images):
    gan = keras_gan.GAN(keras_gan.architectures.dcgan_generator((8, 8, 1), 4, width=4), patches(None), seed=0, ema=None)
    gan.compile(penalties=[R1(1.0)])
    assert np.isfinite(gan.fit(images, batch_size=16, verbose=0).history["discriminator_loss"]).all()


def test_maps_beside_heads():
    x = keras.Input((8, 8, 1))
    features = L.Conv2D(4, 4, 2, padding="same")(x)
    outputs = {"logits": L.Conv2D(1, 4, 2)(features), "classes": L.Dense(3)(L.Flatten()(features))}
    condition = keras_gan.conditions.AuxiliaryClassifier(3)
    generator = keras_gan.architectures.dcgan_generator((8, 8, 1), 4, width=4, condition=condition)
    gan = keras_gan.GAN(generator, keras.Model(x, outputs), condition=condition, seed=0, ema=None)
    gan.compile(penalties=())
    images, labels = np.full((8, 8, 8, 1), -0.5, "float32"), np.arange(8) % 3
    assert np.isfinite(gan.fit(images, labels, verbose=0).history["discriminator_loss"]).all()
    for wrong in ({**outputs, "classes": outputs["logits"]}, {**outputs, "logits": features}):
        with pytest.raises(
            ValueError, match=r"'logits': \(batch, 1\), 'classes': \(batch, 3\)}; its logits may also be a map"
        ):
            keras_gan.GAN(generator, keras.Model(x, wrong), condition=condition)


@pytest.mark.parametrize("last", [L.Conv2D(3, 1), L.Reshape((4, 4)), L.Lambda(lambda x: x[:, 0, 0, 0])])
def test_outputs_that_are_no_logits(last):
    discriminator = keras.Sequential([keras.Input((4, 4, 1)), last])
    generator = keras.Sequential([keras.Input((2,)), L.Dense(16), L.Reshape((4, 4, 1))])
    with pytest.raises(ValueError, match=r"logits of shape \(batch, 1\), or a map of them .* Received: \(None"):
        keras_gan.GAN(generator, discriminator)
