import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gan
from keras_gan import pace, settings
from keras_gan.conditions import Labels


def small(**changes):
    choices = {"width": 2, "latent_dim": 4, "batch_size": 4, "steps": 6, "epochs": 3, **changes}
    return settings.for_images((8, 8, 3), count=20).replace(**choices)


def images(n=20, shape=(8, 8, 3)):
    x = np.random.default_rng(0).uniform(-1, 1, (n, *shape)).astype("float32")
    return tf.data.Dataset.from_tensor_slices(x).batch(4)


def test_choices_are_what_is_built_and_trained(tmp_path):
    chosen = small(loss="hinge", r1=0.5, learning_rate=0.01, ema=0.9, seed=3)
    gan = chosen.build()
    assert (gan.data_shape, gan.latent_dim, gan.ema) == ((8, 8, 3), 4, 0.9)
    assert isinstance(gan.loss, keras_gan.losses.Hinge)
    assert [(type(p).__name__, p.gamma) for p in gan.penalties] == [("R1", 0.5)]
    rate = gan.generator_optimizer.get_config()["learning_rate"]["config"]
    assert (rate["initial_learning_rate"], rate["steps"], rate["constant"], rate["alpha"]) == (0.01, 6, 0.5, 0.02)
    assert len(chosen.epoch(images())) == chosen.steps_per_epoch == 2
    gan.fit(
        chosen.epoch(images()),
        epochs=chosen.epochs,
        verbose=0,
        callbacks=chosen.callbacks(tmp_path / "run", best=False),
    )
    assert int(gan.optimizer.iterations) == 6
    found = {p.relative_to(tmp_path / "run").parts[0] for p in (tmp_path / "run").rglob("*")}
    assert found == {"backup", "gan.keras", "metrics.jsonl", "samples", "train"}


def test_without_augmentation_and_penalty():
    gan = small(augment=False, r1=0).build()
    assert gan.augmentation is None and gan.penalties == []
    assert small().build().augmentation is not None


def test_gray_images_are_trained_otherwise():
    color, gray = settings.for_images((8, 8, 3), 20), settings.for_images((8, 8, 1), 20)
    assert color.flip and color.augment and not gray.flip and not gray.augment
    assert color.simultaneous and not gray.simultaneous
    narrow, gan = color.replace(width=2), color.replace(width=2).build()
    assert "width 4 and 2" in str(narrow) and "width 5 and 2" in str(narrow.replace(generator_width=5))
    assert gan.discriminator.layers[0].filters == 2
    assert min(layer.filters for layer in gan.generator.layers[:-1] if hasattr(layer, "filters")) == 4
    assert "width 20 and 20" in str(gray)


def test_steps_are_divided_into_equal_epochs():
    chosen = settings.for_images((8, 8, 3), count=33)
    # Each image a hundred times: three batches of 16 hold them.
    assert (chosen.steps, chosen.epochs) == (300, 6)
    assert (chosen.replace(steps=5000).epochs, chosen.replace(steps=5000).steps) == (40, 5000)
    assert (chosen.replace(steps=5039).epochs, chosen.replace(steps=5039).steps) == (40, 5000)
    assert (chosen.replace(steps=7).epochs, chosen.replace(steps=7).steps) == (1, 7)
    assert chosen.replace(steps=10, epochs=3).steps == 9


def test_steps_fit_into_the_time():
    chosen = settings.for_images((8, 8, 3), count=33, minutes=10)
    chosen.fit_into(10, pace.Pace(start=20.0, step=0.05, epoch_end=1.0))
    # Looking takes a tenth at most: 40 epochs of a second are less.
    assert (chosen.epochs, chosen.steps) == (40, (600 - 20 - 40) * 20)
    chosen.fit_into(10, pace.Pace(start=20.0, step=0.05, epoch_end=10.0))
    assert (chosen.epochs, chosen.steps) == (6, (600 - 20 - 60) * 20 // 6 * 6)
    chosen.fit_into(0, pace.Pace(start=20.0, step=0.05, epoch_end=10.0))
    assert (chosen.epochs, chosen.steps) == (1, 1)


def test_measure_sets_the_steps():
    chosen = small(minutes=0.2)
    found = chosen.measure(images(), seconds=0.1)
    expected = min(40, int(0.1 * 12 / max(found.epoch_end, 1e-3)))
    steps = found.steps_within(12, expected)
    assert chosen.epochs == max(1, min(expected, steps // 50)) and 0 <= steps - chosen.steps < chosen.epochs
    # On noise, with labels where there are any; without minutes nothing changes.
    other = small(condition=Labels(3))
    other.measure(seconds=0.1)
    assert (other.steps, other.epochs) == (6, 3)


def test_a_gan_to_start_from_keeps_its_weights():
    first = small(width=3).build()
    first.fit(images(), verbose=0)
    before = [w.numpy() for w in first.weights]
    gan = small().build(start_from=first)
    assert gan.generator is first.generator and int(gan.optimizer.iterations) == 0
    for then, now in zip(before, first.weights, strict=False):
        np.testing.assert_array_equal(then, now.numpy())
    with pytest.raises(ValueError, match=r"start_from must make images of \(8, 8, 3\)\. Received: one of \(8, 8, 1\)"):
        small().build(start_from=settings.for_images((8, 8, 1), 20).replace(width=2).build())
    with pytest.raises(ValueError, match=r"start_from must have the condition Labels\(num_classes=3\)"):
        small(condition=Labels(3)).build(start_from=first)


def test_text_gives_each_choice_with_its_reason():
    lines = str(small()).splitlines()
    assert len(lines) == len(small().reasons()) == 12
    assert lines[0].startswith("images") and "20 of 8x8x3" in lines[0] and "each is seen 1.2 times" in lines[0]
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widht": 3}, "replace takes architecture, .*width. Received: widht"),
        ({"architecture": "vae"}, "architecture must be one of .*Received: 'vae'"),
        ({"loss": "huber"}, "huber"),
        ({"r1": -1}, "r1 must be a finite number >= 0. Received: -1"),
        ({"steps": 0}, "steps must be a positive integer. Received: 0"),
        ({"minutes": 0}, "minutes must be a finite number > 0. Received: 0"),
        ({"seed": -1}, "seed must be an integer from 0"),
    ],
)
def test_wrong_choices(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


# === Pairs ===


def small_pairs(source=(16, 16, 1), target=(16, 16, 3), **changes):
    choices = {"width": 2, "batch_size": 4, "steps": 6, "epochs": 3, **changes}
    return settings.for_pairs(source, target, count=20).replace(**choices)


def pairs(source=(16, 16, 1), target=(16, 16, 3)):
    rng = np.random.default_rng(0)
    parts = tuple(rng.uniform(-1, 1, (20, *shape)).astype("float32") for shape in (source, target))
    return tf.data.Dataset.from_tensor_slices(parts).batch(4)


def test_choices_of_pairs_are_what_is_built_and_trained(tmp_path):
    chosen = small_pairs(loss="hinge", learning_rate=0.01, reconstruction_weight=7, dropout=0.25, ema=0.9, seed=3)
    data = pairs()
    features = keras_gan.metrics.KernelDistance()
    model = chosen.build([features])
    assert (model.source_shape, model.data_shape, model.ema, model.reconstruction_weight) == (
        (16, 16, 1),
        (16, 16, 3),
        0.9,
        7.0,
    )
    assert model.reconstruction is keras.losses.get("mae") and model.augmentation is None
    rates = {layer.rate for layer in model.generator.layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == {0.25}
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        config = optimizer.get_config()
        rate = config["learning_rate"]["config"]
        assert (rate["initial_learning_rate"], rate["steps"], rate["alpha"], config["beta_1"]) == (0.01, 6, 0.0, 0.5)
    following = chosen.callbacks(tmp_path / "run", validation_data=data)
    model.fit(chosen.epoch(data), epochs=3, validation_data=data, verbose=0, callbacks=following)
    assert int(model.optimizer.iterations) == 6
    found = {p.relative_to(tmp_path / "run").parts[0] for p in (tmp_path / "run").rglob("*")}
    assert found == {"backup", "gan.keras", "metrics.jsonl", "samples", "train", "validation"}
    logged = keras_gan.callbacks.read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert {"val_mae", "val_psnr", "val_ssim", "val_kernel_distance"} <= logged[-1].keys()


def test_choices_of_pairs_follow_their_shapes():
    def chosen(size, channels=3, target_channels=3):
        return settings.for_pairs((size, size, channels), (size, size, target_channels), 20)

    assert [chosen(size).width for size in (16, 64, 128, 132, 256)] == [32, 32, 32, 64, 64]
    assert [chosen(16, *channels).flip for channels in ((3, 3), (1, 3), (3, 1), (4, 4))] == [True, False, False, True]
    assert small_pairs().replace(dropout=0.5).build().generator.output_shape == (None, 16, 16, 3)
    assert len(str(small_pairs()).splitlines()) == 10 and "20 of 16x16x1 to 16x16x3" in str(small_pairs())


@pytest.mark.parametrize(
    ("source", "scale", "expected"),
    [
        ((16, 16, 3), 1, "unet"),
        ((8, 8, 3), 2, "super_resolution"),
        ((4, 4, 3), 4, "super_resolution"),
        # No enlarged source has other channels; and nothing enlarges by three.
        ((8, 8, 1), 2, "unet"),
        ((16, 16, 3), 3, "unet"),
    ],
)
def test_targets_that_are_sources_enlarged_get_what_enlarges(source, scale, expected):
    target = (scale * source[0], scale * source[1], 3)
    chosen = small_pairs(source, target)
    assert (chosen.architecture, chosen.learning_rate) == (expected, 5e-4 if expected != "unet" else 1e-3)
    generator = chosen.build().generator
    assert (generator.input_shape[1:], generator.output_shape[1:]) == (source, target)
    enlarges = any(isinstance(layer, keras_gan.layers.Residual) for layer in generator.layers)
    assert enlarges == (expected == "super_resolution") == ("super-resolution" in str(chosen))
    assert ("dropout" in str(chosen)) == (expected == "unet") and all(len(x) <= 100 for x in str(chosen).splitlines())
    unet = chosen.replace(architecture="unet", dropout=0.5).build().generator
    assert unet.output_shape[1:] == target and any(isinstance(x, keras.layers.Dropout) for x in unet.layers)


def test_pairs_are_measured_on_noise_and_start_from_others():
    chosen = small_pairs((8, 8, 3), minutes=0.1)
    found = chosen.measure(seconds=0.1)
    assert 1 <= chosen.steps <= 6 / found.step
    first = small_pairs(width=3).build()
    assert small_pairs().build(start_from=first).generator is first.generator
    with pytest.raises(ValueError, match=r"images of \(16, 16, 1\) from .*one that makes \(16, 16, 3\)"):
        small_pairs(target=(16, 16, 1)).build(start_from=first)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small_pairs((32, 32, 3), (16, 16, 3)), "target_shape must be as large as source_shape"),
        (lambda: small_pairs((16, 16, 3), (32, 48, 3)), "larger by one whole factor. Received: .32, 48, 3."),
        (lambda: small_pairs((18, 18, 3), (18, 18, 3)), "divisible by 4, and at least 16. Received: .18, 18, 3."),
        (lambda: small_pairs((12, 12, 3), (12, 12, 3)), "at least 16"),
        (lambda: small_pairs((16, 16)), "source_shape must be"),
        (lambda: small_pairs(dropout=1), "dropout must be a number in"),
        (lambda: small_pairs(architecture="resnet"), "architecture must be one of .*'super_resolution'.*'resnet'"),
        (lambda: small_pairs(architecture="super_resolution"), "must be 'unet' but for .*, .16, 16, 1. to .16, 16, 3."),
        (lambda: small_pairs((8, 8, 3), dropout=0.5), "dropout must be 0 .*Received: 0.5. Choose architecture='unet'"),
        (lambda: small_pairs(reconstruction_weight=-1), "reconstruction_weight must be a finite number >= 0"),
        (lambda: small_pairs(latent_dim=3), "replace takes .*Received: latent_dim"),
    ],
)
def test_wrong_choices_of_pairs(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def small_unpaired(a=(16, 16, 1), b=(16, 16, 3), **changes):
    choices = {"width": 2, "blocks": 1, "steps": 6, "epochs": 3, **changes}
    return settings.for_unpaired(a, b, count_a=20, count_b=30).replace(**choices)


def test_choices_of_two_sets_are_what_is_built_and_trained(tmp_path):
    chosen = small_unpaired(loss="hinge", learning_rate=0.01, cycle_weight=7, pool_size=3, ema=0.9, separable=True)
    data = pairs()
    model = chosen.build([keras_gan.metrics.KernelDistance()])
    assert (model.shapes, model.ema) == ({"a": (16, 16, 1), "b": (16, 16, 3)}, 0.9)
    assert (model.cycle_weight, model.identity_weight, model.pool_size) == (7.0, 0.0, 3)
    assert any(isinstance(layer, keras.layers.SeparableConv2D) for layer in model.generator_ab.layers)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        config = optimizer.get_config()
        rate = config["learning_rate"]["config"]
        assert (rate["initial_learning_rate"], rate["steps"], rate["alpha"], config["beta_1"]) == (0.01, 6, 0.0, 0.5)
    following = chosen.callbacks(tmp_path / "run", validation_data=data)
    model.fit(chosen.epoch(data), epochs=3, validation_data=data, verbose=0, callbacks=following)
    assert int(model.optimizer.iterations) == 6
    found = {p.relative_to(tmp_path / "run").parts[0] for p in (tmp_path / "run").rglob("*")}
    assert found == {"backup", "gan.keras", "metrics.jsonl", "samples", "train", "validation"}


def test_choices_of_two_sets_follow_what_there_is():
    chosen = settings.for_unpaired((16, 16, 3), (16, 16, 3), 20, 31)
    # The larger set a hundred times: eight batches of 4 hold it.
    assert (chosen.width, chosen.blocks, chosen.batch_size, chosen.count, chosen.steps) == (24, 4, 4, 31, 800)
    assert chosen.flip and not small_unpaired().flip
    assert "20 of 16x16x3, 31 of 16x16x3" in str(chosen) and len(str(chosen).splitlines()) == 11
    weights = [each.reasons()[7][:2] for each in (chosen, chosen.replace(identity_weight=2), small_unpaired())]
    assert weights == [("identity_weight", value) for value in ("0.5", "2", "none, channels differ")]
    assert chosen.replace(count_a=40).steps == 800 and chosen.replace(count_a=40, steps=None).count == 40
    first = small_unpaired(width=3).build()
    assert small_unpaired().build(start_from=first).generator_ba is first.generator_ba
    with pytest.raises(ValueError, match=r"between images of \(16, 16, 3\) and .*Received: one of \(16, 16, 1\)"):
        small_unpaired((16, 16, 3)).build(start_from=first)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small_unpaired((32, 32, 3), (16, 16, 3)), "shape_b must be of the size of shape_a"),
        (lambda: small_unpaired((12, 12, 3), (12, 12, 3)), "divisible by 4, and at least 16"),
        (lambda: small_unpaired(pool_size=-1), "pool_size must be an integer >= 0"),
        (lambda: small_unpaired(identity_weight=-1), "identity_weight must be a finite number >= 0"),
        (lambda: small_unpaired(dropout=0.5), "replace takes .*Received: dropout"),
    ],
)
def test_wrong_choices_of_two_sets(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_public_example():
    chosen = keras_gan.settings.for_images((28, 28, 1), count=4000, minutes=5).replace(width=2)
    chosen.measure(seconds=0.2)
    assert chosen.steps > 100
    assert isinstance(chosen.build(), keras.Model)
