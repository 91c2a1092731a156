"""A user's script that may be killed at any moment: run by test_durability.py.

Arguments: a folder for the run, and options of `BackupAndRestore` and of the run as JSON. Prints a line before each
step, and at the end the digest of all training state.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_gan

folder, options = Path(sys.argv[1]), json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
epochs, backup = options.pop("epochs", 4), options.pop("backup", True)
keras.utils.set_random_seed(0)
if keras.config.backend() == "tensorflow":
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()

L = keras.layers
generator = keras.Sequential(
    [keras.Input((4,)), L.Dense(49), L.BatchNormalization(), L.LeakyReLU(), L.Dense(784, activation="tanh")]
)
generator.add(L.Reshape((28, 28, 1)))
discriminator = keras.Sequential(
    [keras.Input((28, 28, 1)), L.Conv2D(4, 4, 4), L.LeakyReLU(), L.Flatten(), L.Dropout(0.3), L.Dense(1)]
)
gan = keras_gan.GAN(generator, discriminator, ema=0.9, seed=0)
rate = keras.optimizers.schedules.CosineDecay(options.pop("rate", 2e-3), 100)
gan.compile(
    keras.optimizers.Adam(rate, beta_1=0.5),
    keras.optimizers.Adam(rate, beta_1=0.5),
    penalties=[keras_gan.penalties.R1(0.1)],
    augmentation=keras_gan.augmentation.AdaptiveAugmentation(ramp_images=2000),
    metrics=[keras_gan.metrics.SlicedWasserstein()],
    steps_per_execution=options.pop("steps_per_execution", 1),
)
train = keras_gan.datasets.load("digits", batch_size=100, seed=0)
test = keras_gan.datasets.load("digits", batch_size=100, split="test").take(1)


class Begun(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        print("step", flush=True)


best = keras.callbacks.ModelCheckpoint(
    folder / "best.keras", monitor="val_generator_loss", mode="max", save_best_only=True
)
kept = keras_gan.callbacks.BackupAndRestore(folder / "backup", **options)
history = gan.fit(
    train.take(16),
    epochs=epochs,
    validation_data=test,
    verbose=0,
    callbacks=[*([kept] if backup else []), Begun(), best, keras_gan.callbacks.TrainingHealth()],
).history


def digest(gan):
    arrays = [*gan.get_weights(), *(keras.ops.convert_to_numpy(v) for v in gan.optimizer.variables)]
    arrays += [keras.ops.convert_to_numpy(v) for v in gan.variables]
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


print(json.dumps({"last": digest(gan), "best": digest(keras.models.load_model(folder / "best.keras")), **history}))
