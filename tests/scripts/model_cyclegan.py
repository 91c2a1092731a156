"""A CycleGAN on points, a custom model kind: the example and, as a script, the runs of test_model.py.

Arguments: a folder, and options as JSON. Prints a line before each step, and at the end the state of training.
"""

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops

import keras_gan


@keras.saving.register_keras_serializable(package="tests")
class PointsCycleGAN(keras_gan.AdversarialModel):
    """CycleGAN of points in two domains; an optimizer for each kind of network, or (`apart`) for each network."""

    data_shape = (2,)

    def __init__(self, networks, apart=False, seed=None, **kwargs):
        super().__init__(seed, **kwargs)
        self.generator_ab, self.generator_ba, self.discriminator_a, self.discriminator_b = self.networks = networks
        self.apart = apart
        self.adversarial = keras_gan.losses.LeastSquares()

    def players(self):
        if self.apart:
            names = ["discriminator_a", "discriminator_b", "generator_ab", "generator_ba"]
            return {name: getattr(self, name) for name in names}
        return {
            "discriminators": [self.discriminator_a, self.discriminator_b],
            "generators": [self.generator_ab, self.generator_ba],
        }

    def log_names(self):
        return [*(f"{name}_loss" for name in self.players()), "cycle_error"]

    def adversarial_step(self, data):
        names = list(self.players())
        half = len(names) // 2
        d = self.update(names[:half], lambda: self.discriminator_objectives(*self.unpack(data), training=True))
        g = self.update(names[half:], lambda: self.generator_objectives(*self.unpack(data), training=True))
        losses = {f"{name}_loss": report["loss"] for name, report in zip(names, [*d, *g], strict=True)}
        return {**losses, "cycle_error": g[0]["cycle_error"]}

    def evaluation_step(self, data):
        a, b = self.unpack(data)
        self.update_metrics(b, self.generator_ab(a, training=False))
        return {"cycle_error": self.generator_objectives(a, b, training=False)[0][1]["cycle_error"]}

    def discriminator_objectives(self, a, b, training):
        fakes = self.generator_ba(b, training=training), self.generator_ab(a, training=training)
        pairs = [(self.discriminator_a, a, fakes[0]), (self.discriminator_b, b, fakes[1])]
        return self.objectives([self.adversarial.discriminator(d(x), d(ops.stop_gradient(y))) for d, x, y in pairs], {})

    def generator_objectives(self, a, b, training):
        fake_b, fake_a = self.generator_ab(a, training=training), self.generator_ba(b, training=training)
        cycles = ops.abs(self.generator_ba(fake_b) - a), ops.abs(self.generator_ab(fake_a) - b)
        cycle_error = sum(ops.mean(error) for error in cycles)
        logits = self.discriminator_b(fake_b), self.discriminator_a(fake_a)
        return self.objectives(
            [ops.mean(ops.square(x - 1)) / 2 + 3.0 * cycle_error for x in logits], {"cycle_error": cycle_error}
        )

    def objectives(self, scalars, report):
        return [(x, report) for x in scalars] if self.apart else [(sum(scalars), report)]

    def unpack(self, data):
        return keras.utils.unpack_x_y_sample_weight(data)[0]

    def get_config(self):
        networks = [keras.saving.serialize_keras_object(network) for network in self.networks]
        return {**super().get_config(), "networks": networks, "apart": self.apart}


def make(apart=False, rate=5e-3, dropout=0.1, **options):
    """Returns a compiled model, the same at each call, with a name for each of its optimizers."""
    keras.utils.set_random_seed(0)

    def generator():
        return keras.Sequential([keras.Input((2,)), layers.Dense(16, activation="tanh"), layers.Dense(2)])

    def discriminator():
        return keras.Sequential(
            [keras.Input((2,)), layers.Dense(16, activation="tanh"), layers.Dropout(dropout), layers.Dense(1)]
        )

    model = PointsCycleGAN([generator(), generator(), discriminator(), discriminator()], apart, seed=0)
    model.compile({name: keras.optimizers.Adam(rate, beta_1=0.5) for name in model.players()}, **options)
    return model


def domains(n=256):
    """Returns points around (1, 0) and around (-1, 1), float32 `(n, 2)` each."""
    rng = np.random.default_rng(0)
    a, b = rng.normal([1, 0], [0.2, 0.4], (n, 2)), rng.normal([-1, 1], [0.4, 0.2], (n, 2))
    return a.astype("float32"), b.astype("float32")


def digest(model):
    """Returns a string that is the same for equal weights, optimizers and random states."""
    arrays = [ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


class Steps(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        print("step", flush=True)


def main(folder, replicas=1, backup=True, **options):
    scope = contextlib.nullcontext()
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        if replicas > 1:
            scope = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)]).scope()
    with scope:
        model = make(**options)
    keep = [keras_gan.callbacks.BackupAndRestore(folder / "backup", save_freq=3)] if backup else []
    history = model.fit(domains(250), batch_size=32, epochs=4, shuffle=False, verbose=0, callbacks=[Steps(), *keep])
    np.savez(folder / "weights.npz", *model.get_weights())
    print(json.dumps({"digest": digest(model), **history.history}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), **json.loads(sys.argv[2]))
