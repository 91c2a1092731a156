import contextlib
import itertools
import os
import re
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_gan
from keras_gan import callbacks
from keras_gan.datasets.order import find


@pytest.mark.parametrize("channels", [1, 3])
def test_sample_grid_draws_the_same_latents_each_epoch(channels, make_image_gan, images, tmp_path):
    gan = make_image_gan(channels)
    drawn = callbacks.SampleGrid(tmp_path / "run", n=6, columns=3, seed=1)
    gan.fit(np.repeat(images, channels, -1), batch_size=16, epochs=2, verbose=0, callbacks=[drawn])
    files = sorted(p.name for p in (tmp_path / "run" / "samples").iterdir())
    assert files == ["epoch_0001.png", "epoch_0002.png"]
    last = np.asarray(Image.open(tmp_path / "run" / "samples" / files[1])).reshape(18, 28, channels)
    np.testing.assert_array_equal(last, keras_gan.images.grid(gan.sample(6, seed=1), 3))


def test_sample_grid_shows_the_whole_range_of_a_sigmoid(make_sigmoid_gan, tmp_path):
    gan = make_sigmoid_gan()
    gan.compile(keras.optimizers.SGD(0.0), penalties=())
    x = np.linspace(0, 1, 16, dtype="float32").reshape(4, 2, 2, 1)
    gan.fit(x, verbose=0, callbacks=[callbacks.SampleGrid(tmp_path, n=1)])
    picture = np.asarray(Image.open(tmp_path / "samples" / "epoch_0001.png"))
    np.testing.assert_array_equal(picture, [[0, 128], [128, 255]])


def test_sample_grid_leaves_training_alone(make_image_gan, images, tmp_path):
    with_grid, without = make_image_gan(), make_image_gan()
    without.set_weights(with_grid.get_weights())
    with_grid.fit(images, batch_size=16, shuffle=False, verbose=0, callbacks=[callbacks.SampleGrid(tmp_path)])
    without.fit(images, batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(with_grid.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_sample_grid_of_given_rows(images, tmp_path):
    vector = keras_gan.conditions.Vector(2)
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 1), latent_dim=4, width=4, condition=vector),
        keras_gan.architectures.dcgan_discriminator((8, 8, 1), width=4, condition=vector),
        ema=None,
    )
    gan.compile(penalties=())
    rows = np.random.default_rng(0).normal(size=(6, 2))
    fit = {"x": images, "y": np.ones((48, 2)), "batch_size": 16, "verbose": 0}
    gan.fit(**fit, callbacks=[callbacks.SampleGrid(tmp_path, n=6, columns=3, given=rows)])
    drawn = np.asarray(Image.open(tmp_path / "samples" / "epoch_0001.png")).reshape(18, 28, 1)
    np.testing.assert_array_equal(drawn, keras_gan.images.grid(gan.sample(6, seed=0, given=rows), 3))
    steps = int(gan.optimizer.iterations)
    for options, message in (
        ({}, r"given must say.*SampleGrid\(log_dir, given="),
        ({"n": 5, "given": rows}, "given must have length 5, one entry for each of the samples"),
        ({"n": 6, "given": rows[:, :1]}, r"given must have the shape \(batch, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            gan.fit(**fit, callbacks=[callbacks.SampleGrid(tmp_path, **options)])
    assert int(gan.optimizer.iterations) == steps


def test_sample_grid_of_no_images(points, make_gan, tmp_path):
    with pytest.raises(ValueError, match=r"SampleGrid draws images.*\(2,\)"):
        make_gan().fit(points, verbose=0, callbacks=[callbacks.SampleGrid(tmp_path)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options", [{"n": 0}, {"n": 2.5}, {"columns": 0}, {"columns": -1}, {"columns": 2.5}, {"seed": -1}, {"seed": 0.5}]
)
def test_sample_grid_refuses_bad_arguments(options, tmp_path):
    with pytest.raises(ValueError, match=f"^{next(iter(options))} must be"):
        callbacks.SampleGrid(tmp_path, **options)


def _won(make_gan, **options):
    """A GAN whose discriminator learns fast and whose generator does not."""
    gan = make_gan(
        generator_optimizer=keras.optimizers.SGD(0.0), discriminator_optimizer=keras.optimizers.Adam(0.02), **options
    )
    gan.generator.layers[-1].set_weights([np.full((16, 2), 1e-2), np.array([-3.0, 3.0])])
    return gan


def _names(watch):
    return [name for _, name, _ in watch.alarms]


def test_health_says_that_the_discriminator_has_won_once(points, make_gan, caplog, tmp_path):
    watch = callbacks.TrainingHealth(tmp_path, patience=2)
    gan = _won(make_gan)
    gan.fit(points, batch_size=32, epochs=12, verbose=0, callbacks=[watch])
    assert _names(watch).count("discriminator_won") == 1
    assert len(gan.history.epoch) == 12
    (said,) = [r.message for r in caplog.records if "discriminator has won" in r.message]
    assert "R1" in said and said.startswith("Epoch ")
    events = EventAccumulator(str(tmp_path / "train"))
    events.Reload()
    (event,) = events.Tensors("health/discriminator_won")
    assert said.encode() in event.tensor_proto.string_val[0]


@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
def test_health_says_that_the_discriminator_has_won_where_its_loss_is_0(loss, points, make_gan):
    gan = _won(make_gan, loss=loss)
    gan.fit(points, batch_size=32, epochs=6, verbose=0)
    head = gan.discriminator.layers[-1]
    head.set_weights([1e4 * w for w in head.get_weights()])
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), loss=loss, penalties=())
    watch = callbacks.TrainingHealth(patience=2)
    history = gan.fit(points, batch_size=32, epochs=3, verbose=0, callbacks=[watch]).history
    assert history["discriminator_loss"] == [0.0] * 3
    assert [alarm[:2] for alarm in watch.alarms if alarm[1] == "discriminator_won"] == [(1, "discriminator_won")]


def test_health_counts_epochs_of_one_training_alone(points, make_gan):
    gan = make_gan()
    gan.generator.layers[0].set_weights([np.zeros((4, 16)), np.ones(16)])
    gan.generator.layers[0].trainable = False
    gan.compile(penalties=())
    watch = callbacks.TrainingHealth(patience=3)
    for _ in range(2):
        gan.fit(points, batch_size=64, epochs=2, verbose=0, callbacks=[watch])
    assert watch.alarms == []
    gan.fit(points, batch_size=64, epochs=3, verbose=0, callbacks=[watch])
    assert _names(watch) == ["generator_collapsed"]


def test_alarms_compare_with_the_first_epoch_of_a_resumed_run_too(points, make_gan, tmp_path):
    heard = []

    def sounds(logs):
        heard.append((logs["first_generator_loss"], logs["generator_loss"]))
        return False

    class Cut(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    for others in ([Cut()], []):
        gan = make_gan()
        gan.alarms = lambda: [keras_gan.health.Alarm("heard", sounds, str)]
        following = [callbacks.TrainingHealth(), callbacks.BackupAndRestore(tmp_path / "backup"), *others]
        with pytest.raises(KeyboardInterrupt) if others else contextlib.nullcontext():
            gan.fit(points, batch_size=64, epochs=4, verbose=0, callbacks=following)
    first, losses = zip(*heard, strict=True)
    assert len(set(losses)) == 4 and set(first) == {losses[0]}


def test_health_tells_a_collapsed_generator_and_stops(points, make_gan):
    gan = make_gan()
    gan.generator.layers[0].set_weights([np.zeros((4, 16)), np.ones(16)])
    gan.generator.layers[0].trainable = False
    gan.compile(penalties=())
    watch = callbacks.TrainingHealth(patience=3, stop=True)
    history = gan.fit(points, batch_size=64, epochs=9, verbose=0, callbacks=[watch]).history
    assert _names(watch) == ["generator_collapsed"] and watch.alarms[0][0] == 2
    assert len(history["diversity"]) == 3 and max(history["diversity"]) < 1e-3


@pytest.mark.parametrize("copies", [True, False])
def test_health_says_that_the_generator_repeats_training_images(copies, images):
    dense = keras.layers.Dense(64, "tanh")
    generator = keras.Sequential([keras.Input((4,)), dense, keras.layers.Reshape((8, 8, 1))])
    copied = np.arctanh(0.99 * images[0].ravel())
    kernel = np.zeros((4, 64)) if copies else np.random.default_rng(0).normal(size=(4, 64))
    dense.set_weights([kernel, copied])
    gan = keras_gan.GAN(generator, keras_gan.architectures.dcgan_discriminator((8, 8, 1), width=4), ema=None)
    still = keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0)
    gan.compile(*still, metrics=[keras_gan.metrics.Memorization(keras.layers.Identity(), images)], penalties=())
    watch = callbacks.TrainingHealth(patience=2)
    held_out = np.random.default_rng(1).uniform(-1, 1, images.shape).astype("float32")
    history = gan.fit(images, validation_data=held_out, epochs=3, verbose=0, callbacks=[watch]).history
    said = [(epoch, message) for epoch, name, message in watch.alarms if name == "generator_memorizes"]
    low, high = (1, 1) if copies else (0, 0.3)
    assert all(low <= value <= high for value in history["val_memorization"]) and len(said) == copies
    if copies:
        assert said[0][0] == 1 and "100% of its samples" in said[0][1] and "DiffAugment" in said[0][1]


def test_health_ends_a_run_that_is_not_finite_at_its_step(points, make_gan, caplog):
    gan = make_gan(generator_optimizer=keras.optimizers.SGD(1e30), loss="least_squares")
    watch = callbacks.TrainingHealth()
    gan.fit(points, batch_size=64, epochs=5, verbose=0, callbacks=[watch])
    assert _names(watch) == ["not_finite"] and watch.alarms[0][0] == 0
    assert len(gan.history.epoch) == 1
    assert "generator_loss" in watch.alarms[0][2] and "Step 2" in watch.alarms[0][2]
    assert [r.message for r in caplog.records] == [watch.alarms[0][2]]


class _NaN(keras_gan.penalties.R1):
    """Penalty that is not finite from the third step on, recognized by its data."""

    def __call__(self, discriminator, real, fake, seed=None):
        value = super().__call__(discriminator, real, fake, seed=seed)
        return value / keras.ops.cast(keras.ops.mean(real) < 50, "float32")


@pytest.mark.parametrize(
    ("broken", "culprit"),
    [
        ("data", "the data"),
        ("penalty", "the penalty _na_n of the discriminator"),
        ("generator", "what the generator makes"),
        ("discriminator", "the discriminator's weights, after its last update"),
        ("discriminator optimizer", "the generator's adversarial loss, after the discriminator's update"),
    ],
)
def test_health_names_what_made_a_value_that_is_not_finite(broken, culprit, points, make_gan, caplog):
    class Break(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2 and broken in ("generator", "discriminator"):
                getattr(self.model, broken).layers[-1].bias.assign([np.nan] * (2 if broken == "generator" else 1))

    x = np.array(points)
    if broken in ("data", "penalty"):
        x[150:] = np.nan if broken == "data" else 100.0
    options = {"penalties": [_NaN()]} if broken == "penalty" else {}
    if broken == "discriminator optimizer":
        rate = keras.optimizers.schedules.PiecewiseConstantDecay([1], [1e-4, 1e30])
        options = {"discriminator_optimizer": keras.optimizers.SGD(rate), "loss": "least_squares"}
    watch = callbacks.TrainingHealth()
    # Only the first batch of a stream is checked before training.
    data = tf.data.Dataset.from_tensor_slices(x).batch(64)
    make_gan(**options).fit(data, verbose=0, callbacks=[Break(), watch])
    ((epoch, name, message),) = watch.alarms
    assert (
        epoch == 0
        and name == "not_finite"
        and f"Step 3 made a value that is not finite, first in {culprit}." in message
    )
    assert ("NaN and infinite values in the data" in message) == (broken == "data")


def test_penalties_are_logged_with_their_weight(points, make_gan):
    P = keras_gan.penalties
    # One step: in later ones Adam amplifies rounding errors.
    one = {"batch_size": len(points), "verbose": 0}
    history = make_gan(penalties=[P.R1(1.0), P.R1(1.0), P.GradientPenalty(1.0)]).fit(points, **one).history
    alone = make_gan(penalties=[P.R1(2.0), P.GradientPenalty(1.0)]).fit(points, **one).history
    assert 0 < history["r1"][0] == pytest.approx(alone["r1"][0], rel=1e-5)
    assert history["gradient_penalty"][0] > 0


def test_health_returns_to_the_best_checkpoint(points, make_gan, tmp_path, caplog):
    best = tmp_path / "best.keras"
    gan = _won(make_gan)
    saver = keras.callbacks.ModelCheckpoint(best, monitor="discriminator_loss", mode="max", save_best_only=True)
    gan.fit(points, batch_size=32, epochs=20, verbose=0, callbacks=[saver, callbacks.TrainingHealth(checkpoint=best)])
    assert len(gan.history.epoch) < 20
    for a, b in zip(gan.get_weights(), keras.models.load_model(best).get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert f"returns to {best}" in caplog.text


def test_health_without_a_checkpoint_yet_says_so(points, make_gan, tmp_path, caplog):
    gan = make_gan(generator_optimizer=keras.optimizers.SGD(1e30), loss="least_squares")
    watch = callbacks.TrainingHealth(checkpoint=tmp_path / "none.keras")
    gan.fit(points, batch_size=64, verbose=0, callbacks=[watch])
    assert "there is no" in caplog.text


class Silent(keras.callbacks.Callback):
    """Custom callback with a `mode` unrelated to Keras's."""

    mode = "auto"


def test_monitors_of_metrics_need_no_mode(points, make_gan, tmp_path):
    metrics = [keras_gan.metrics.FrechetDistance(), keras_gan.metrics.PrecisionRecall(name="near")]
    gan = make_gan(metrics=metrics)
    watching = [
        keras.callbacks.EarlyStopping("val_frechet_distance", patience=9),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "val_near_recall", save_best_only=True),
        keras.callbacks.ModelCheckpoint(tmp_path / "each.keras", "val_nothing"),
        keras.callbacks.ReduceLROnPlateau("discriminator_loss", mode="min"),
        Silent(),
    ]
    history = gan.fit(points, batch_size=64, verbose=0, validation_data=points[:64], callbacks=watching).history
    assert [c.mode for c in watching] == ["min", "max", "min", "min", "auto"]
    assert watching[0].best == history["val_frechet_distance"][0]
    assert watching[1].best == history["val_near_recall"][0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.callbacks.EarlyStopping(),
        lambda: keras.callbacks.EarlyStopping("val_generator_loss"),
        lambda: keras.callbacks.ModelCheckpoint("best.keras", "val_frechet", save_best_only=True),
        lambda: keras.callbacks.ReduceLROnPlateau("val_kernel_distance_error"),
    ],
)
def test_a_monitor_without_a_direction_is_refused_before_training(make, points, make_gan):
    gan = make_gan(metrics=[keras_gan.metrics.FrechetDistance(), keras_gan.metrics.KernelDistance()])
    with pytest.raises(ValueError, match="such as one of 'val_frechet_distance', 'val_kernel_distance', or mode must"):
        gan.fit(points, batch_size=64, verbose=0, validation_data=points[:64], callbacks=[make()])
    assert int(gan.optimizer.iterations) == 0


def _breaking(make_gan, last_good):
    """Makes a GAN with a metric that fails after `last_good + 1` steps, with 4 steps per epoch."""
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([last_good], [1e-3, 1e30])
    metric = keras_gan.metrics.FrechetDistance()
    return make_gan(generator_optimizer=keras.optimizers.SGD(rate), loss="least_squares", metrics=[metric])


@pytest.mark.parametrize(
    ("last_good", "epoch", "said"),
    [(0, 0, "Step 3 made"), (8, 2, "Step 3 made"), (10, 2, "A validation loss is not finite")],
)
def test_health_returns_to_the_checkpoint_of_a_metric_that_nan_breaks(
    last_good, epoch, said, points, make_gan, tmp_path, caplog
):
    best = tmp_path / "best.keras"
    watch = callbacks.TrainingHealth(checkpoint=best)
    saver = keras.callbacks.ModelCheckpoint(best, monitor="val_frechet_distance", mode="min", save_best_only=True)
    gan = _breaking(make_gan, last_good)
    options = {"batch_size": 64, "epochs": 5, "verbose": 0, "validation_data": points[:64]}
    history = gan.fit(points, callbacks=[saver, watch], **options).history
    assert [alarm[:2] for alarm in watch.alarms] == [(epoch, "not_finite")]
    assert said in watch.alarms[0][2] and watch.alarms[0][2] in caplog.text
    assert not np.isfinite(history["val_generator_loss"][-1]) and len(history["val_generator_loss"]) == epoch + 1
    *good, last = history["val_frechet_distance"]
    assert np.isnan(last) and len(good) == epoch
    if good:
        assert f"returns to {best}" in caplog.text
        kept = [gan, keras.models.load_model(best)]
        found = [g.evaluate(points[:64], batch_size=64, verbose=0, return_dict=True) for g in kept]
        assert [x["frechet_distance"] for x in found] == pytest.approx([min(good)] * 2, rel=1e-4)
    else:
        assert f"stays as it is: {best} was written in the epoch that broke" in caplog.text


def test_fit_itself_ends_a_run_that_is_not_finite(points, make_gan, caplog):
    gan = _breaking(make_gan, 0)
    history = gan.fit(points, batch_size=64, epochs=2, verbose=0, validation_data=points).history
    assert np.isnan([history["val_generator_loss"], history["val_frechet_distance"]]).all()
    assert len(history["val_frechet_distance"]) == 1 and "Training ends here" in caplog.text
    with pytest.raises(ValueError, match="frechet_distance needs finite features"):
        gan.evaluate(points, verbose=0)


@pytest.mark.parametrize("raise_error", [False, True])
def test_keras_terminates_on_nan(raise_error, points, make_gan, capsys):
    gan = _breaking(make_gan, 0)
    terminate = keras.callbacks.TerminateOnNaN(raise_error=raise_error)
    with pytest.raises(RuntimeError, match="NaN or Inf loss") if raise_error else contextlib.nullcontext():
        history = gan.fit(points, batch_size=64, epochs=3, verbose=0, callbacks=[terminate])
        assert len(history.epoch) == 1 and "loss" not in history.history
        assert "Invalid loss, terminating training" in capsys.readouterr().out


@pytest.mark.parametrize("loss", sorted(set(keras_gan.losses._BY_NAME)))
def test_health_is_silent_on_a_healthy_run(loss, points, make_gan):
    watch = callbacks.TrainingHealth(patience=2)
    gan = make_gan(
        generator_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
        loss=loss,
        penalties=[keras_gan.penalties.GradientPenalty(1.0)],
    )
    gan.fit(points, batch_size=32, epochs=8, verbose=0, callbacks=[watch])
    assert watch.alarms == []


def test_health_refuses_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="patience"):
        callbacks.TrainingHealth(patience=0)
    with pytest.raises(ValueError, match=r"checkpoint must end in .keras"):
        callbacks.TrainingHealth(checkpoint=tmp_path / "best.h5")


@pytest.mark.parametrize(("columns", "shown"), [(40, 0), (80, 2), (200, 4)])
def test_progress_fits_the_terminal(columns, shown, points, make_gan, capsys, monkeypatch):
    monkeypatch.setattr("shutil.get_terminal_size", lambda fallback=None: os.terminal_size((columns, 24)))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    clock = types.SimpleNamespace(time=itertools.count(1.0, 1.0).__next__)
    monkeypatch.setattr(callbacks.progress, "time", clock)
    make_gan().fit(points, batch_size=8, epochs=2)
    *running, last = capsys.readouterr().out.split("\r")
    lines = [line for line in running if re.match(r"\d+/32 ", line)]
    assert len(lines) == 64 and {len(line) for line in lines} == {columns - 1}
    names = ["discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy"]
    for line in lines:
        assert [name in line for name in names] == [i < shown for i in range(4)]
    # A clock that advances a second at each reading: a second per step, and a few at the end of an epoch.
    assert " left" not in lines[0]
    assert re.match(r"2/32 ━─{11} 1:0\d left", lines[1]) and re.match(r"32/32 ━{12} 0:3\d left", lines[31])
    assert re.match(r"32/32 ━{12} 0:00 left", lines[63])
    assert all(f"{name}: " in last for name in names) and "gradient_norm" not in "".join([*running, last])


def test_progress_in_a_file_is_a_line_for_each_epoch(points, make_gan, capsys):
    make_gan().fit(points, batch_size=8, epochs=3)
    text = re.sub(r"\x1b\[\d+m|\x08", "", capsys.readouterr().out)
    assert len(re.findall(r"32/32 ", text)) == 3 and not re.search(r" \d/32| left", text)


def test_the_time_left_is_that_of_all_epochs():
    assert [callbacks.progress._clock(s) for s in (0.4, 59.6, 125, 3725)] == ["0:00", "1:00", "2:05", "1:02:05"]


def test_a_summary_of_each_epoch_is_one_line(points, make_gan, capsys, monkeypatch):
    shown = {"val_generator_loss": "loss", "val_nothing": "nothing"}
    make_gan().fit(points[:32], validation_data=points, epochs=2, batch_size=16, callbacks=[callbacks.Progress(shown)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"epoch 1/2  loss \d\.\d+  0:\d\d left", lines[0])
    assert re.fullmatch(r"epoch 2/2  loss \d\.\d+  0:00 left", lines[1])
    monkeypatch.setattr("shutil.get_terminal_size", lambda fallback=None: os.terminal_size((80, 24)))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    make_gan().fit(points[:32], validation_data=points, epochs=2, batch_size=16, callbacks=[callbacks.Progress(shown)])
    drawn = capsys.readouterr().out
    assert "Epoch" not in drawn and drawn.count("\n") == 2
    assert all(len(part) <= 80 for line in drawn.splitlines() for part in line.split("\r"))
    assert "epoch 1/2  1/2 ━━━━━━──────" in drawn


def test_a_progress_bar_of_ones_own_stays_alone(points, make_gan, capsys):
    own = keras.callbacks.ProgbarLogger()
    make_gan().fit(points, callbacks=own)

    def bars(given, verbose):
        kinds = (keras.callbacks.ProgbarLogger, callbacks.Progress)
        return [type(c) for c in callbacks.fitting.complete(given, verbose, points) if isinstance(c, kinds)]

    assert bars([own], 1) == [keras.callbacks.ProgbarLogger]
    assert bars(None, 1) == [callbacks.Progress]
    assert not bars(None, 0)


def test_verbose_0_prints_nothing(points, make_gan, capsys):
    make_gan().fit(points, verbose=0)
    assert capsys.readouterr().out == ""


# === The order of the data ===


@pytest.fixture
def shuffled(tmp_path):
    """Returns a function from a seed to a small set, shuffled by it: 5 batches of images 8x8x3."""
    (tmp_path / "pictures").mkdir()
    for i, picture in enumerate(np.random.default_rng(0).integers(0, 255, (20, 8, 8, 3), "uint8")):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{i:02}.png")
    return lambda seed: keras_gan.datasets.load(f"folder:{tmp_path / 'pictures'}", 4, seed=seed)


def test_orders_follow_the_training_that_they_are_part_of(shuffled, make_image_gan):
    train, test, other = shuffled(1), shuffled(2), shuffled(3)
    orders = [order for data in (train, test, other) for order in find(data)]
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append([order.steps for order in orders])

        def on_test_batch_end(self, batch, logs=None):
            self.on_train_batch_begin(batch)

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise InterruptedError

    gan = make_image_gan(3)
    with pytest.raises(InterruptedError):
        gan.fit(train, epochs=2, verbose=0, validation_data=test.take(2), callbacks=Look())
    assert seen == [[0, 0, None]] * 7 + [[5, 5, None]] * 7
    assert [order.steps for order in orders] == [None] * 3


def test_a_training_within_another_does_not_disturb_it(shuffled, make_image_gan):
    class Train(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 3:
                gan = make_image_gan(3)
                gan.fit(shuffled(2), verbose=0)

    def weights(*callbacks):
        gan = make_image_gan(3)
        gan.fit(shuffled(1).repeat(2), epochs=2, verbose=0, callbacks=list(callbacks))
        return np.concatenate([w.ravel() for w in gan.get_weights()])

    np.testing.assert_array_equal(weights(), weights(Train()))
