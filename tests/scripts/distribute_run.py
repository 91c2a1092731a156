"""A user's script under `tf.distribute`: run by test_distribute.py, in a separate process, on 1 or 2 replicas."""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

import keras_gan

replicas, folder = int(sys.argv[1]), sys.argv[2]
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)])
P = keras_gan.penalties


def gan_of_points(normalized=True, **options):
    """Makes a GAN with parts that are equal for any number of replicas: average, penalties, synchronized statistics."""
    keras.utils.set_random_seed(0)
    L = keras.layers
    normalization = [L.BatchNormalization(synchronized=True)] if normalized else []
    gan = keras_gan.GAN(
        keras.Sequential([keras.Input((4,)), L.Dense(16), *normalization, L.LeakyReLU(), L.Dense(2)]),
        keras_gan.architectures.mlp_discriminator((2,), units=(16,), dropout=0.0),
        ema=0.9,
        seed=0,
    )
    gan.compile(
        keras.optimizers.SGD(0.05),
        keras.optimizers.SGD(0.05),
        penalties=[P.R1(0.1), P.GradientPenalty(0.1)],
        metrics=[keras_gan.metrics.ModeCoverage([[-0.3, 0.0], [0.3, 0.0]], sigma=0.1)],
        **options,
    )
    return gan


def gan_of_images():
    """Makes a GAN with parts that draw random numbers, or depend on a replica's part of the batch."""
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((8, 8, 1), latent_dim=4, width=4),
        keras_gan.architectures.dcgan_discriminator((8, 8, 1), width=4),
        ema=None,
        seed=0,
    )
    gan.compile(
        penalties=(),
        augmentation=keras_gan.augmentation.AdaptiveAugmentation(),
        discriminator_steps=2,
    )
    return gan


def conditional_gan():
    """Makes a GAN whose labels set scale and offset of batch normalization over the global batch."""
    keras.utils.set_random_seed(0)
    L, labels = keras.layers, keras_gan.conditions.Labels(3)
    inputs = keras.Input((4,)), keras.Input((), dtype="int32")
    normalization = keras_gan.layers.ConditionalBatchNormalization(labels, synchronized=True)
    outputs = L.Dense(2)(L.LeakyReLU()(normalization([L.Dense(16)(inputs[0]), inputs[1]])))
    gan = keras_gan.GAN(
        keras.Model(inputs, outputs),
        keras_gan.architectures.mlp_discriminator((2,), units=(16,), dropout=0.0, condition=labels),
        ema=0.9,
        seed=0,
        condition=labels,
    )
    gan.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05), penalties=())
    return gan


def translator():
    """Makes a small network from images to images."""
    L = keras.layers
    first, last = L.Conv2D(4, 3, padding="same"), L.Conv2D(1, 3, padding="same", activation="tanh")
    return keras.Sequential([keras.Input((16, 16, 1)), first, L.LeakyReLU(), last])


def judge_of_patches(channels):
    """Makes a small discriminator of patches."""
    L = keras.layers
    return keras.Sequential([keras.Input((16, 16, channels)), L.Conv2D(4, 4, 2), L.LeakyReLU(), L.Conv2D(1, 3)])


def translation():
    """Makes a translation with a patch discriminator."""
    keras.utils.set_random_seed(0)
    pair = keras_gan.Pix2Pix(translator(), judge_of_patches(2), ema=0.9, seed=0)
    pair.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(0.05), penalties=[P.R1(0.1)], loss="relativistic")
    return pair


def overflows(replica):
    """Trains a GAN in float16 with an overflow on one replica, and returns its state."""
    keras.config.set_dtype_policy("mixed_float16")
    with strategy.scope():
        gan = keras_gan.GAN(
            keras_gan.architectures.mlp_generator((2,), 4, units=(8,)),
            keras_gan.architectures.mlp_discriminator((2,), units=(8,), dropout=0.0),
        )
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), penalties=())
    keras.config.set_dtype_policy("float32")
    data = x[:16].copy()
    data[8 * replica : 8 * replica + 8] = 1e5
    logs = gan.fit(tf.data.Dataset.from_tensor_slices(data).batch(16), verbose=0).history
    return all(np.isfinite(w).all() for w in gan.get_weights()), logs["discriminator_loss_scale"][0]


# The last batch has 13: 7 for one replica, 6 for the other.
x = np.random.default_rng(0).normal(size=(157, 2)).astype("float32")
points = tf.data.Dataset.from_tensor_slices(x).batch(16)
with strategy.scope():
    gan = gan_of_points()
traced, step = [], keras_gan.GAN.adversarial_step
keras_gan.GAN.adversarial_step = lambda self, data: traced.append(1) or step(self, data)
history = gan.fit(points, epochs=2, verbose=0, validation_data=points).history
keras_gan.GAN.adversarial_step = step
np.savez(f"{folder}/{replicas}.npz", *gan.get_weights())
result = {
    "replicas": strategy.num_replicas_in_sync,
    "history": history,
    "traced": len(traced),
    "iterations": int(keras.ops.convert_to_numpy(gan.optimizer.iterations)),
}

with strategy.scope():
    simultaneous = gan_of_points(simultaneous=True)
simultaneous.fit(points, epochs=2, verbose=0)
np.savez(f"{folder}/{replicas}_simultaneous.npz", *simultaneous.get_weights())

# A last batch of one: of two replicas one gets nothing.
with strategy.scope():
    lonely = gan_of_points(normalized=False, discriminator_steps=2)
lonely_points = tf.data.Dataset.from_tensor_slices(x[:17]).batch(16)
result["lonely"] = lonely.fit(lonely_points, epochs=2, verbose=0, validation_data=lonely_points).history
np.savez(f"{folder}/{replicas}_lonely.npz", *lonely.get_weights())

with strategy.scope():
    conditional = conditional_gan()
labeled = tf.data.Dataset.from_tensor_slices((x[:45], np.arange(45) % 3)).batch(16)
conditional.fit(labeled, epochs=2, verbose=0)
np.savez(f"{folder}/{replicas}_conditional.npz", *conditional.get_weights())

with strategy.scope():
    pairs = translation()
sources = np.random.default_rng(0).uniform(-1, 1, (21, 16, 16, 1)).astype("float32")
batches = tf.data.Dataset.from_tensor_slices((sources, -sources)).batch(8)
result["pairs"] = pairs.fit(batches, epochs=1, verbose=0, validation_data=batches).history
np.savez(f"{folder}/{replicas}_pairs.npz", *pairs.get_weights())

# The last batch has one: of two replicas one gets nothing.
batches = tf.data.Dataset.from_tensor_slices((sources[:17], -sources[::-1][:17])).batch(8)
for kind, pool_size in {"cycle": 0, "cycle_pool": 5}.items():
    with strategy.scope():
        keras.utils.set_random_seed(0)
        cycle = keras_gan.CycleGAN(
            *(translator() for _ in range(2)),
            *(judge_of_patches(1) for _ in range(2)),
            ema=0.9,
            seed=0,
            pool_size=pool_size,
            match_steps=9,
        )
        rates = keras.optimizers.SGD(1e-3), keras.optimizers.SGD(0.05)
        cycle.compile(*rates, penalties=[P.R1(0.1)], metrics=[keras_gan.metrics.PSNR()])
    result[kind] = cycle.fit(batches, epochs=2, verbose=0, validation_data=batches).history
    np.savez(f"{folder}/{replicas}_{kind}.npz", *cycle.get_weights())

if replicas > 1:
    with strategy.scope():
        several = gan_of_points(steps_per_execution=4)
    several.fit(points, epochs=2, verbose=0)
    pairs = zip(gan.get_weights(), several.get_weights(), strict=True)
    result["several_steps_differ_by"] = max(float(np.abs(a - b).max()) for a, b in pairs)
    result["several_steps"] = int(keras.ops.convert_to_numpy(several.optimizer.iterations))

    def draw():
        n = 7 - tf.distribute.get_replica_context().replica_id_in_sync_group
        return gan._draw_latents(tf.zeros((n, 1)), gan.training_seed)

    first, second = (np.asarray(v) for v in strategy.experimental_local_results(strategy.run(tf.function(draw))))
    result["drawn"] = [len(first), len(second)]
    result["common_latents"] = float(np.abs(first[:, None] - second[None]).max(-1).min())
    single = several.train_on_batch(x[:15], return_dict=True)
    result["on_batch"] = {name: float(value) for name, value in single.items()}
    result["test_on_batch"] = several.test_on_batch(x[:15], return_dict=True)
    result["evaluated"] = several.evaluate(x[:15], batch_size=15, verbose=0, return_dict=True)
    result["overflows"] = [overflows(0), overflows(1)]

    with strategy.scope():
        gan = gan_of_images()
    x = np.random.default_rng(0).uniform(-1, 1, (52, 8, 8, 1)).astype("float32")
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(16)
    result["images"] = gan.fit(dataset, epochs=2, verbose=0, validation_data=dataset.skip(2).take(1)).history
    result["one_image"] = gan.evaluate(dataset.unbatch().take(1).batch(16), verbose=0, return_dict=True)
    result["images_iterations"] = int(keras.ops.convert_to_numpy(gan.optimizer.iterations))
    gan.save(f"{folder}/gan.keras")
    result["sample"] = float(gan.sample(2, seed=0).sum())

print(json.dumps(result))
