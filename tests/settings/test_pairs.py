import keras
import pytest

import keras_gan
from keras_gan import settings


def small_pairs(source=(16, 16, 1), target=(16, 16, 3), **changes):
    choices = {"width": 2, "batch_size": 4, "steps": 6, "epochs": 3, **changes}
    return settings.for_pairs(source, target, count=20).replace(**choices)


def test_choices_of_pairs_are_what_is_built_and_trained(pairs, tmp_path):
    chosen = small_pairs(loss="hinge", learning_rate=0.01, reconstruction_weight=7, dropout=0.25, ema=0.9, seed=3)
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
    following = chosen.callbacks(tmp_path / "run", validation_data=pairs)
    model.fit(chosen.epoch(pairs), epochs=3, validation_data=pairs, verbose=0, callbacks=following)
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
    # An eighth of the smaller side, in whole pixels of the source.
    assert [chosen(size).crop for size in (16, 20, 64, 256)] == [2, 2, 8, 32]
    sizes = ((64, 96), (64, 96)), ((8, 8), (24, 24)), ((20, 20), (60, 60)), ((32, 32), (64, 64))
    assert [settings.for_pairs((*a, 3), (*b, 3), 20).crop for a, b in sizes] == [8, 3, 6, 0]
    assert small_pairs().replace(dropout=0.5).build().generator.output_shape == (None, 16, 16, 3)
    assert len(str(small_pairs()).splitlines()) == 11 and "20 of 16x16x1 to 16x16x3" in str(small_pairs())


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
    assert enlarges == (expected == "super_resolution") == ("EDSR" in str(chosen))
    assert ("dropout" in str(chosen)) == (expected == "unet") and all(len(x) <= 100 for x in str(chosen).splitlines())
    chosen = chosen.replace(architecture="unet", dropout=0.5)
    assert "U-Net" in str(chosen) and dict(reason[:2] for reason in chosen.reasons())["dropout"] == "0.5"
    unet = chosen.build().generator
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
        (
            lambda: small_pairs((16, 16, 3), (32, 48, 3)),
            "the same integer factor in height and width. Received: .32, 48, 3.",
        ),
        (lambda: small_pairs((18, 18, 3), (18, 18, 3)), "divisible by 4, and at least 16. Received: .18, 18, 3."),
        (lambda: small_pairs((12, 12, 3), (12, 12, 3)), "at least 16"),
        (lambda: small_pairs((16, 16)), "source_shape must be"),
        (lambda: small_pairs(dropout=1), "dropout must be a number in"),
        (lambda: small_pairs(architecture="resnet"), "architecture must be one of .*'super_resolution'.*'resnet'"),
        (
            lambda: small_pairs(architecture="super_resolution"),
            "must be 'unet', except for .*, .16, 16, 1. to .16, 16, 3.",
        ),
        (lambda: small_pairs((8, 8, 3), dropout=0.5), "dropout must be 0 .*Received: 0.5. Choose architecture='unet'"),
        (lambda: small_pairs(crop=-1), "crop must be an integer >= 0"),
        (lambda: small_pairs(reconstruction_weight=-1), "reconstruction_weight must be a finite number >= 0"),
        (lambda: small_pairs(latent_dim=3), "replace takes .*Received: latent_dim"),
    ],
)
def test_wrong_choices_of_pairs(make, message):
    with pytest.raises(ValueError, match=message):
        make()
