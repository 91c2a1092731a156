"""One of several processes that train one GAN, as a user's script: run by test_hosts.py.

The cluster is in TF_CONFIG, on JAX as well, where a process may have several devices. The first argument is a
folder, the second the step (over all epochs) before which this process dies; -1 trains without a backup.
"""

import contextlib
import json
import os
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

folder, last_step = sys.argv[1], int(sys.argv[2])
task = json.loads(os.environ.get("TF_CONFIG", '{"cluster": {"worker": ["alone"]}, "task": {"index": 0}}'))
workers, rank = task["cluster"]["worker"], task["task"]["index"]
scope, devices = contextlib.nullcontext, len(workers)
if keras.config.backend() == "jax":
    if len(workers) > 1:
        keras.distribution.initialize(",".join(workers), num_processes=len(workers), process_id=rank)
    devices = len(keras.distribution.list_devices())
    keras.distribution.set_distribution(keras.distribution.DataParallel())
elif len(workers) > 1:
    scope = tf.distribute.MultiWorkerMirroredStrategy().scope

import keras_gan  # noqa: E402 The strategy or the cluster comes before any tensor.


class Death(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)) == last_step:
            os.kill(os.getpid(), signal.SIGKILL)


keras.utils.set_random_seed(0)
L = keras.layers
# On JAX statistics are always those of the global batch.
synchronized = keras.config.backend() == "tensorflow"
with scope():
    gan = keras_gan.GAN(
        keras.Sequential(
            [keras.Input((4,)), L.Dense(16), L.BatchNormalization(synchronized=synchronized), L.LeakyReLU(), L.Dense(2)]
        ),
        keras_gan.architectures.mlp_discriminator((2,), units=(16,), dropout=0.0),
        ema=0.9,
        seed=0,
    )
    gan.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05), penalties=[keras_gan.penalties.R1(0.1)])
x = np.random.default_rng(0).normal(size=(80, 2)).astype("float32")
data = tf.data.Dataset.from_tensor_slices(x).batch(16)
backup = [keras_gan.callbacks.BackupAndRestore(f"{folder}/backup"), Death()] if last_step != -1 else []
history = gan.fit(
    data,
    epochs=4,
    verbose=0,
    validation_data=data,
    callbacks=[
        keras.callbacks.ModelCheckpoint(f"{folder}/last.keras"),
        keras.callbacks.CSVLogger(f"{folder}/log.csv"),
        *backup,
    ],
).history
np.savez(f"{folder}/weights_{rank}.npz", *gan.get_weights())
print(json.dumps({"history": history, "chief": gan.is_chief, "devices": devices}))
