"""A custom model kind, a CycleGAN on points, inherits all features of `AdversarialModel`."""

import inspect
import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import keras
import model_cyclegan as points
import numpy as np
import pytest
from keras import ops
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import keras_gan

SCRIPT = Path(points.__file__)

APART = ["discriminator_a", "discriminator_b", "generator_ab", "generator_ba"]


def _state(model):
    return [ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]


def _assert_equal(a, b):
    assert len(a) == len(b) > 20
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("apart", [False, True])
def test_it_trains(apart):
    a, b = points.domains()
    model = points.make(apart)
    history = model.fit((a, b), batch_size=32, epochs=40, verbose=0).history
    names = APART if apart else ["discriminators", "generators"]
    assert set(history) == {*(f"{name}_loss" for name in names), "cycle_error"}
    assert history["cycle_error"][-1] < 0.25 < 0.4 < history["cycle_error"][0]
    moved = ops.convert_to_numpy(model.generator_ab(a))
    np.testing.assert_allclose(moved.mean(0), b.mean(0), atol=0.25)
    assert moved.std(0).min() > 0.1 and moved.std(0).max() < 0.8
    assert int(model.optimizer.iterations) == 320


def test_each_player_has_an_optimizer_and_callbacks_move_all_rates():
    model = points.make()
    model.compile({"generators": keras.optimizers.Adam(1e-3), "discriminators": keras.optimizers.Adam(4e-3)})
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    model.fit(points.domains(32), verbose=0, callbacks=[halve])
    assert float(model.generators_optimizer.learning_rate) == pytest.approx(5e-4)
    assert float(model.discriminators_optimizer.learning_rate) == pytest.approx(2e-3)
    assert float(model.optimizer.learning_rate) == pytest.approx(5e-4)


def test_a_player_moves_its_own_weights_only():
    model = points.make()
    model.compile({"generators": "sgd", "discriminators": keras.optimizers.SGD(0.0)})
    before = [network.get_weights() for network in model.networks]
    model.fit(points.domains(64), verbose=0)
    moved = [
        max(np.abs(x - y).max() for x, y in zip(old, network.get_weights(), strict=True))
        for old, network in zip(before, model.networks, strict=True)
    ]
    assert min(moved[:2]) > 1e-5 and max(moved[2:]) == 0


def test_it_is_saved_with_all_that_the_next_step_needs(tmp_path):
    model = points.make(metrics=[keras_gan.metrics.KolmogorovSmirnov()])
    model.fit(points.domains(), batch_size=64, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is points.PointsCycleGAN and loaded.seed == 0 and len(loaded.evaluation_metrics) == 1
    _assert_equal(_state(model), _state(loaded))
    for each in (model, loaded):
        each.fit(points.domains(), batch_size=64, shuffle=False, verbose=0)
    _assert_equal(_state(model), _state(loaded))


def test_evaluation_fills_metrics_once():
    a, b = points.domains()
    model = points.make(metrics=[keras_gan.metrics.KolmogorovSmirnov()])
    history = model.fit((a, b), batch_size=64, epochs=3, verbose=0, validation_data=((a, b),)).history
    assert 0 < history["val_kolmogorov_smirnov"][-1] <= 1
    found = model.evaluate((a, b), verbose=0, return_dict=True)
    assert set(found) == {"cycle_error", "kolmogorov_smirnov"}
    assert found["cycle_error"] == pytest.approx(history["val_cycle_error"][-1], rel=1e-5)


def _start(folder, **options):
    folder.mkdir(exist_ok=True)
    with (folder / "log.txt").open("w") as log:
        return subprocess.Popen([sys.executable, str(SCRIPT), str(folder), json.dumps(options)], stdout=log, stderr=log)


def _finish(process, folder):
    assert process.wait(timeout=300) == 0, (folder / "log.txt").read_text()[-3000:]
    return json.loads((folder / "log.txt").read_text().splitlines()[-1])


def test_killed_in_its_midst_it_goes_on_bit_for_bit(tmp_path):
    expected = _finish(_start(tmp_path / "unbroken"), tmp_path / "unbroken")
    process = _start(tmp_path / "killed")
    while (tmp_path / "killed" / "log.txt").read_text().count("step") < 14:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert list((tmp_path / "killed" / "backup").glob("epoch_*.keras"))
    found = _finish(_start(tmp_path / "killed"), tmp_path / "killed")
    # It repeated fewer than all 32 steps.
    assert (tmp_path / "killed" / "log.txt").read_text().count("step") < 32
    assert found == expected


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="tf.distribute")
def test_two_replicas_train_as_one_does(tmp_path):
    # Keras's dropout draws one mask on all replicas.
    one, two = ({"replicas": n, "backup": False, "apart": True, "dropout": 0.0} for n in (1, 2))
    found = [_finish(_start(tmp_path / str(i), **o), tmp_path / str(i)) for i, o in enumerate((one, two))]
    for name in ("cycle_error", "generator_ab_loss", "discriminator_b_loss"):
        np.testing.assert_allclose(found[0][name], found[1][name], atol=1e-5)
    weights = [np.load(tmp_path / str(i) / "weights.npz") for i in (0, 1)]
    assert len(weights[0].files) >= 16
    for name in weights[0].files:
        np.testing.assert_allclose(weights[0][name], weights[1][name], atol=1e-4)


def test_it_shows_in_tensorboard(tmp_path):
    model = points.make()
    model.fit(points.domains(64), epochs=2, verbose=0, callbacks=[keras.callbacks.TensorBoard(tmp_path)])
    events = EventAccumulator(str(tmp_path / "train"), size_guidance={"tensors": 0})
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {"epoch_generators_loss", "epoch_discriminators_loss", "epoch_cycle_error"} <= tags
    assert {"epoch_learning_rate_generators", "epoch_learning_rate_discriminators"} <= tags
    assert len(events.Tensors("epoch_cycle_error")) == 2


def test_health_rings_on_nan():
    a, b = points.domains(128)
    b[100] = np.nan
    watch = keras_gan.callbacks.TrainingHealth()
    history = points.make().fit((a, b), batch_size=32, epochs=3, shuffle=False, verbose=0, callbacks=[watch])
    assert len(history.epoch) == 1
    ((epoch, name, message),) = watch.alarms
    assert (epoch, name) == (0, "not_finite") and "Step 4" in message and "first in discriminators_loss" in message


def test_what_a_kind_can_not_show_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"SampleGrid draws images.*PointsCycleGAN has no preview"):
        points.make().fit(points.domains(32), verbose=0, callbacks=[keras_gan.callbacks.SampleGrid(tmp_path)])


@pytest.mark.parametrize(
    ("optimizers", "message"),
    [
        (None, r"a dict with an optimizer for each player, \['discriminators', 'generators'\]. Received: None"),
        ({"generators": "adam"}, r"each player.*Received: \['generators'\]"),
        ({"generators": "adam", "discriminators": "adam", "critic": "sgd"}, r"each player.*'critic'"),
        ({"generators": "adam", "discriminators": "gan"}, r"optimizers\['discriminators'\] must be .* Received: 'gan'"),
    ],
)
def test_a_player_without_an_optimizer_is_refused(optimizers, message):
    with pytest.raises(ValueError, match=message):
        points.make().compile(optimizers)


def test_one_optimizer_for_two_players_is_refused():
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="The optimizers of discriminators and generators must be two objects"):
        points.make().compile({"generators": adam, "discriminators": adam})


def test_a_frozen_network_of_a_player_is_refused():
    model = points.make()
    model.generator_ba.trainable = False
    with pytest.raises(ValueError, match="generators must have trainable weights"):
        model.compile({"generators": "adam", "discriminators": "adam"})


class _Broken(points.PointsCycleGAN):
    """Model kind with an invalid step."""

    wrong = "name"

    def adversarial_step(self, data):
        if self.wrong == "name":
            return {"score": 1.0}
        self.update(["nobody"] if self.wrong == "player" else ["generators"], lambda: [])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("name", r"must return what log_names\(\) lists, .*'cycle_error'\]. Received: score"),
        ("player", r"names must be among \['discriminators', 'generators'\]. Received: 'nobody'"),
        ("count", r"one pair for each of \['generators'\]. Received: 0"),
    ],
)
def test_a_step_that_is_wrong_says_so(wrong, message):
    model = _Broken(points.make().networks)
    model.wrong = wrong
    model.compile({"generators": "adam", "discriminators": "adam"}, run_eagerly=True)
    with pytest.raises(ValueError, match=message):
        model.fit(points.domains(32), verbose=0)


def test_a_metric_needs_the_shape_of_the_data():
    model = points.make()
    model.data_shape = None
    with pytest.raises(ValueError, match=r"data_shape must be set.*KolmogorovSmirnov"):
        model.compile({"generators": "adam", "discriminators": "adam"}, [keras_gan.metrics.KolmogorovSmirnov()])


def test_a_kind_without_get_config_says_so():
    class Forgetful(keras_gan.AdversarialModel):
        pass

    with pytest.raises(NotImplementedError, match="Forgetful must have get_config"):
        Forgetful().get_config()


def test_the_example_of_the_docstring_runs(tmp_path):
    example = inspect.getdoc(keras_gan.AdversarialModel).split("```python\n")[1].split("```")[0]
    names = {"keras": keras, "keras_gan": keras_gan, "np": np}
    exec(textwrap.dedent(example), names)
    model = names["model"]
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    y = x @ np.array([[1.0], [-2.0]], "float32")
    history = model.fit(x, y, epochs=20, verbose=0, validation_data=(x, y)).history
    assert history["error"][0] > 0.5 and history["error"][-1] < 1e-2 and history["val_error"][-1] < 1e-2
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0, return_dict=True) == {"error": pytest.approx(history["val_error"][-1])}


@keras.saving.register_keras_serializable(package="tests")
class Weights(keras_gan.AdversarialModel):
    """Players that are weights, each moved by a given gradient."""

    def __init__(self, networks, slopes, together=True, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        self.networks, self.slopes, self.together = networks, slopes, together

    def players(self):
        return self.networks

    def log_names(self):
        return ["a"]

    def adversarial_step(self, data):
        one = ops.ones((1, 1))

        def objective(name):
            networks = self._networks(name)
            return self.slopes[name] * sum(ops.sum(network(one)) for network in networks) / len(networks), {}

        reports = self.update(list(self.networks), lambda: [objective(name) for name in self.networks])
        return {"a": reports[0]["loss"]}

    def evaluation_step(self, data):
        return {"a": ops.mean(data[0] if isinstance(data, tuple) else data)}


def weight(value=1.0):
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(value))
    return layer, keras.Sequential([keras.Input((1,)), layer])


def test_players_may_share_weights():
    layer, network = weight()
    model = Weights({"a": network, "b": keras.Sequential([keras.Input((1,)), layer])}, {"a": 1.0, "b": 10.0})
    model.compile({"a": keras.optimizers.SGD(0.01), "b": keras.optimizers.SGD(0.01)})
    model.train_on_batch(np.ones((2, 1), "float32"))
    assert float(layer.kernel[0, 0]) == pytest.approx(0.89)


def test_networks_of_one_player_may_share_a_layer():
    layer, network = weight()
    model = Weights({"a": [network, keras.Sequential([keras.Input((1,)), layer])]}, {"a": 2.0})
    model.compile({"a": keras.optimizers.SGD(0.1)})
    model.train_on_batch(np.ones((2, 1), "float32"))
    assert float(layer.kernel[0, 0]) == pytest.approx(0.8)


def test_data_are_checked_and_not_changed():
    class Scaled(Weights):
        def check_data(self, x, y):
            return x / 10, y

    model = Scaled({"a": weight()[1]}, {"a": 1.0})
    model.compile({"a": "sgd"})
    with pytest.raises(ValueError, match="check_data must return x as it came"):
        model.evaluate(np.ones((2, 1), "float32"), verbose=0)


def test_a_single_result_comes_alone_as_from_keras():
    model = Weights({"a": weight()[1]}, {"a": 1.0})
    model.compile({"a": "sgd"})
    x = np.full((2, 1), 3.0, "float32")
    assert model.test_on_batch(x) == model.evaluate(x, verbose=0) == pytest.approx(3.0)


def test_options_that_no_file_keeps_are_warned_of():
    class Careless(Weights):
        def compile(self, optimizers, gamma=1.0, **kwargs):
            super().compile(optimizers, **kwargs)

    class Careful(Careless):
        def get_compile_config(self):
            return {**super().get_compile_config(), "gamma": 1.0}

    with pytest.warns(UserWarning, match=r"Careless.compile has options that are not saved: gamma\."):
        Careless({"a": weight()[1]}, {"a": 1.0}).compile({"a": "sgd"})
    Careful({"a": weight()[1]}, {"a": 1.0}).compile({"a": "sgd"})
