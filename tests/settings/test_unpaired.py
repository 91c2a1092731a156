import keras
import pytest

import keras_gan
from keras_gan import settings


def small_unpaired(a=(16, 16, 1), b=(16, 16, 3), **changes):
    choices = {"width": 2, "steps": 6, "epochs": 3, **changes}
    return settings.for_unpaired(a, b, count_a=20, count_b=30).replace(**choices)


def test_choices_of_two_sets_are_what_is_built_and_trained(pairs, tmp_path):
    chosen = small_unpaired(loss="hinge", learning_rate=0.01, cycle_weight=7, pool_size=3, ema=0.9)
    model = chosen.build([keras_gan.metrics.KernelDistance()])
    assert (model.shapes, model.ema) == ({"a": (16, 16, 1), "b": (16, 16, 3)}, 0.9)
    assert (model.cycle_weight, model.identity_weight, model.pool_size) == (7.0, 0.0, 3)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        config = optimizer.get_config()
        rate = config["learning_rate"]["config"]
        assert (rate["initial_learning_rate"], rate["steps"], rate["alpha"], config["beta_1"]) == (0.01, 6, 0.0, 0.5)
    following = chosen.callbacks(tmp_path / "run", validation_data=pairs)
    model.fit(chosen.epoch(pairs), epochs=3, validation_data=pairs, verbose=0, callbacks=following)
    assert int(model.optimizer.iterations) == 6
    found = {p.relative_to(tmp_path / "run").parts[0] for p in (tmp_path / "run").rglob("*")}
    assert found == {"backup", "gan.keras", "metrics.jsonl", "samples", "train", "validation"}


def _count(network, kind):
    return sum(isinstance(layer, kind) for layer in network.layers)


@pytest.mark.parametrize(
    ("choices", "residual", "separable"),
    [
        ({}, 0, False),
        ({"architecture": "residual"}, 4, False),
        ({"architecture": "residual", "blocks": 1}, 1, False),
        ({"architecture": "residual", "blocks": 2, "separable": True}, 2, True),
    ],
)
def test_generators_are_of_the_chosen_kind(choices, residual, separable):
    model = small_unpaired(**choices).build()
    for generator, channels in ((model.generator_ab, 3), (model.generator_ba, 1)):
        assert generator.output_shape == (None, 16, 16, channels)
        assert _count(generator, keras_gan.layers.Residual) == residual
        assert (_count(generator, keras.layers.SeparableConv2D) > 0) == separable
        assert _count(generator, keras.layers.Concatenate) == (0 if residual else 1)
    # Instance normalization would hide the mean color from them.
    for discriminator in (model.discriminator_a, model.discriminator_b):
        assert not _count(discriminator, keras_gan.layers.InstanceNormalization)


@pytest.mark.parametrize(
    ("size", "smallest"), [((16, 16), 4), ((28, 28), 7), ((32, 32), 4), ((64, 64), 8), ((128, 256), 16), ((60, 60), 15)]
)
def test_unets_halve_images_three_times_if_four_pixels_remain(size, smallest):
    chosen = settings.for_unpaired((*size, 3), (*size, 3), 20, 20).replace(width=1)
    for generator in (chosen.build().generator_ab, chosen.build().generator_ba):
        assert min(min(layer.output.shape[1:3]) for layer in generator.layers) == smallest


def test_choices_of_two_sets_follow_what_there_is():
    chosen = settings.for_unpaired((16, 16, 3), (16, 16, 3), 20, 31)
    # The larger set a hundred times: eight batches of 4 hold it.
    assert (chosen.width, chosen.architecture, chosen.cycle_weight) == (24, "unet", 10.0)
    assert (chosen.batch_size, chosen.count, chosen.steps) == (4, 31, 800)
    assert chosen.flip and not small_unpaired().flip
    assert "20 of 16x16x3, 31 of 16x16x3" in str(chosen) and len(str(chosen).splitlines()) == 13
    matched = [each.build().match_steps for each in (chosen, chosen.replace(match_steps=5), small_unpaired())]
    assert matched == [80, 5, 0]
    weights = [each.reasons()[7][:2] for each in (chosen, chosen.replace(identity_weight=2), small_unpaired())]
    assert weights == [("identity_weight", value) for value in ("0.5", "2", "0")]
    assert small_unpaired().reasons()[7][2] == "channels differ"
    assert chosen.replace(count_a=40).steps == 800 and chosen.replace(count_a=40, steps=None).count == 40
    first = small_unpaired(width=3).build()
    for other in (small_unpaired, lambda: settings.for_pairs((16, 16, 1), (16, 16, 3), 20)):
        with pytest.raises(ValueError, match=r"start_from must be a (CycleGAN|Pix2Pix).*Received: a GAN"):
            other().build(start_from=settings.for_images((8, 8, 3), 20).replace(width=4).build())
    assert small_unpaired().build(start_from=first).generator_ba is first.generator_ba
    with pytest.raises(ValueError, match=r"between images of \(16, 16, 3\) and .*Received: a model of \(16, 16, 1\)"):
        small_unpaired((16, 16, 3)).build(start_from=first)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small_unpaired((32, 32, 3), (16, 16, 3)), "shape_b must have the height and width of shape_a"),
        (lambda: small_unpaired((12, 12, 3), (12, 12, 3)), "divisible by 4, and at least 16"),
        (lambda: small_unpaired(architecture="resnet"), r"architecture must be one of \('unet', 'residual'\)"),
        (lambda: small_unpaired(separable=True), "blocks and separable are choices for architecture='residual'"),
        (lambda: small_unpaired(blocks=6), "Received: architecture='unet', blocks=6"),
        (lambda: small_unpaired(architecture="residual", blocks=0), "blocks must be a positive integer"),
        (lambda: small_unpaired(architecture="residual", separable=1), "separable must be True or False"),
        (lambda: small_unpaired(pool_size=-1), "pool_size must be an integer >= 0"),
        (lambda: small_unpaired(identity_weight=-1), "identity_weight must be a finite number >= 0"),
        (lambda: small_unpaired(dropout=0.5), "replace takes .*Received: dropout"),
    ],
)
def test_wrong_choices_of_two_sets(make, message):
    with pytest.raises(ValueError, match=message):
        make()
