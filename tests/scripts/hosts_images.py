"""One of several processes that train on images, of which each reads its part: run by test_hosts.py.

The cluster is in TF_CONFIG, on JAX as well. The arguments are a folder, the number of epochs and how many devices each
process has; the same folder again resumes. Prints how many images each read took, and writes the weights.
"""

import contextlib
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy

folder, epochs, devices = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
task = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))
workers, scope = task.get("cluster", {}).get("worker", []), contextlib.nullcontext
if keras.config.backend() == "jax":
    if workers:
        keras.distribution.initialize(",".join(workers), len(workers), task["task"]["index"])
    keras.distribution.set_distribution(keras.distribution.DataParallel())
elif workers:
    if devices > 1:
        # In place of GPUs, which alone TensorFlow gives a worker several of.
        cpus = [tf.config.LogicalDeviceConfiguration()] * devices
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], cpus)
        collective_all_reduce_strategy.CollectiveAllReduceExtended._initialize_local_devices = lambda _, __, worker: (
            tuple(f"{worker}/device:CPU:{i}" for i in range(devices)),
            "CPU",
        )
    scope = tf.distribute.MultiWorkerMirroredStrategy().scope

import keras_gan  # noqa: E402 The strategy comes before any tensor.
from keras_gan.datasets.order import find  # noqa: E402

X = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), "uint8")
data = keras_gan.datasets.from_dataset((X, np.arange(40) % 2), batch_size=12, labels=True, seed=1)
(order,), sizes, take = find(data), [], np.take


def counted(images, rows, **options):
    # In training: the first batch is checked before.
    if np.shape(images) == X.shape and order.steps is not None:
        sizes.append(len(rows))
    return take(images, rows, **options)


np.take = counted
keras.utils.set_random_seed(0)
labels = keras_gan.conditions.Labels(2)
# On JAX statistics are always those of the global batch.
synchronized = keras.config.backend() == "tensorflow"
with scope():
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 1), 4, width=2, condition=labels, synchronized=synchronized),
        keras_gan.architectures.dcgan_discriminator((8, 8, 1), width=2, condition=labels),
        seed=0,
        ema=None,
    )
    gan.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), penalties=())
# Six steps of two passes: the fourth batch has 4 images.
history = gan.fit(
    data.repeat().take(6),
    epochs=epochs,
    verbose=0,
    validation_data=data.take(4),
    callbacks=[keras_gan.callbacks.BackupAndRestore(f"{folder}/backup", delete_checkpoint=False)],
).history
np.savez(f"{folder}/weights_{task['task']['index']}.npz", *gan.get_weights())
print(json.dumps({"history": history, "sizes": sizes}))
