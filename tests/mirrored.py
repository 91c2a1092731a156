"""A user's script under `tf.distribute`: run by test_distribute.py, in a process of its own."""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

import keras_gan

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
keras.utils.set_random_seed(0)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

with strategy.scope():
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 1), latent_dim=4, width=4),
        keras_gan.architectures.dcgan_discriminator((8, 8, 1), width=4),
        ema=0.9,
        seed=0,
    )
    gan.compile(
        loss="relativistic",
        penalties=[keras_gan.penalties.R1(0.1), keras_gan.penalties.GradientPenalty(0.1)],
        augmentation=keras_gan.augmentation.AdaptiveAugmentation(),
        discriminator_steps=2,
        # Two modes, dark and light, which every sample belongs to: it counts all samples of both replicas.
        metrics=[
            keras_gan.metrics.ModeCoverage(
                [[-0.5], [0.5]],
                features=keras.Sequential([keras.Input((8, 8, 1)), keras.layers.GlobalAveragePooling2D()]),
            )
        ],
    )

x = np.random.default_rng(0).uniform(-1, 1, (52, 8, 8, 1)).astype("float32")
dataset = tf.data.Dataset.from_tensor_slices(x).batch(16)
history = gan.fit(dataset, epochs=2, verbose=0).history
latents = strategy.run(lambda: gan._draw_latents(tf.zeros((8, 1)), gan._training_seed))
first, second = (np.asarray(v) for v in strategy.experimental_local_results(latents))
gan.save(sys.argv[1])
print(
    json.dumps(
        {
            "replicas": strategy.num_replicas_in_sync,
            "history": history,
            "iterations": int(keras.ops.convert_to_numpy(gan.optimizer.iterations)),
            "common_latents": float(np.abs(first[:, None] - second[None]).max(-1).min()),
            "evaluation": gan.evaluate(dataset, verbose=0, return_dict=True),
            "counted": float(keras.ops.convert_to_numpy(keras.ops.sum(gan.evaluation_metrics[0].counts))),
            "sample": float(gan.sample(2, seed=0).sum()),
        }
    )
)
