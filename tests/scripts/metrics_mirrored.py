"""Metrics under `tf.distribute`, against one device: run by test_metrics.py, in a separate process."""

import json

import keras
import numpy as np
import tensorflow as tf

import keras_gan
from keras_gan import metrics

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
keras.utils.set_random_seed(0)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

rng = np.random.default_rng(0)
real = rng.normal(size=(65, 4)).astype("float32")
fake = (rng.normal(size=(65, 4)) * 1.3 + 0.4).astype("float32")


def softmax(x):
    return keras.ops.softmax(x)


def make():
    return [
        metrics.FrechetDistance(),
        metrics.KernelDistance(),
        metrics.PrecisionRecall(),
        metrics.SlicedWasserstein(),
        metrics.ClassifierScore(softmax),
    ]


def values(metric):
    result = metric.result()
    return list(result.values()) if isinstance(result, dict) else [result]


alone = make()
for metric in alone:
    metric.update_state(real, fake)

with strategy.scope():
    together = [*make(), metrics.KolmogorovSmirnov(max_examples=60)]
    for metric in together:
        metric.build((4,))


@tf.function
def update(batch):
    def step(x, y):
        for metric in together:
            metric.update_state(x, y)

    strategy.run(step, args=batch)


# The last batch has one example: one of two replicas gets none.
for batch in strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices((real, fake)).batch(16)):
    update(batch)

with strategy.scope():
    features = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 1), latent_dim=4, width=4),
        keras_gan.architectures.dcgan_discriminator((8, 8, 1), width=4),
        ema=None,
    )
    gan.compile(metrics=[metrics.FrechetDistance(features), metrics.PrecisionRecall(features)], penalties=())
images = rng.uniform(-1, 1, (52, 8, 8, 1)).astype("float32")
dataset = tf.data.Dataset.from_tensor_slices(images).batch(16)

print(
    json.dumps(
        {
            "replicas": strategy.num_replicas_in_sync,
            "metrics": {a.name: [values(t), values(a)] for t, a in zip(together, alone, strict=False)},
            "buffered": [len(together[-1]._real.value()), len(together[-1]._fake.value())],
            "evaluation": gan.evaluate(dataset, verbose=0, return_dict=True),
        }
    )
)
