"""One GAN on one backend: run by test_backends.py, in a separate process for each."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

import keras_gan

folder = sys.argv[1]
name = keras.config.backend()
rng = np.random.default_rng(0)
real = rng.uniform(-1, 1, (16, 8, 8, 1)).astype("float32")
latents = rng.normal(size=(16, 4)).astype("float32")
P = keras_gan.penalties
results = {}


def load():
    gan = keras.models.load_model(f"{folder}/gan.keras")
    # The same numbers on all backends, which draw differently.
    gan._draw_latents = lambda *_: ops.convert_to_tensor(latents)
    return gan


def arrays(network):
    return [ops.convert_to_numpy(v) for v in network.trainable_variables]


keras.random.uniform = lambda shape, **_: ops.full(shape, 0.3)
batch = ops.convert_to_tensor(real)
results["images"] = load().predict(latents, verbose=0)
for loss in keras_gan.losses._BY_NAME:
    gan = load()
    gan.game.loss = keras_gan.losses.get(loss)
    for player, objective in (("d", gan.discriminator_objective), ("g", gan.generator_objective)):
        results[f"{player}_objective/{loss}"] = ops.convert_to_numpy(objective(batch)[0])
for penalty in (P.R1(2.0), P.R2(2.0), P.GradientPenalty(3.0), P.LipschitzPenalty(3.0)):
    gan = load()
    gan.compile(penalties=[penalty])
    kind = type(penalty).__name__
    results[f"d_objective/{kind}"] = ops.convert_to_numpy(gan.discriminator_objective(batch)[0])
    for network, objective in (
        (gan.discriminator, gan.discriminator_objective),
        (gan.generator, gan.generator_objective),
    ):
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build(network.trainable_variables)
        before = arrays(network)
        players = [(network.trainable_variables, optimizer)]
        ((_, norm),) = gan._descend(players, lambda objective=objective: [objective(batch)])
        gradients = [a - b for a, b in zip(before, arrays(network), strict=True)]
        results[f"{network.name}_norm/{kind}"] = ops.convert_to_numpy(norm)
        results.update({f"{network.name}_gradient/{kind}/{i}": g for i, g in enumerate(gradients)})

# In float32 and compiled, as `fit` does it: three steps with every option, on the same data and latents.
gan = load()
history = gan.fit(np.tile(real, (3, 1, 1, 1)), batch_size=16, shuffle=False, verbose=0, validation_data=real).history
results.update({f"history/{key}": np.array(values) for key, values in history.items()})
results["trained_images"] = gan.predict(latents, verbose=0)
del gan._draw_latents
gan.save(f"{folder}/from_{name}.keras")

gan = load()
gan.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2), penalties=[P.R1(0.5)], simultaneous=True)
history = gan.fit(np.tile(real, (3, 1, 1, 1)), batch_size=16, shuffle=False, verbose=0).history
results.update({f"simultaneous_history/{key}": np.array(values) for key, values in history.items()})
results["simultaneous_images"] = gan.predict(latents, verbose=0)

# Images to images: three steps of two kinds.
sources, targets = rng.uniform(-1, 1, (2, 24, 16, 16, 3)).astype("float32")
for kind, options in {"pairs": {"penalties": [P.R1(0.5)]}, "pairs_simultaneous": {"simultaneous": True}}.items():
    model = keras.models.load_model(f"{folder}/pairs.keras")
    model.compile(keras.optimizers.SGD(1e-4), keras.optimizers.SGD(1e-2), **options)
    history = model.fit(sources, targets, batch_size=8, shuffle=False, verbose=0, validation_data=(sources, targets))
    results.update({f"{kind}_history/{key}": np.array(values) for key, values in history.history.items()})
    results[f"{kind}_images"] = model.predict(sources, verbose=0)
model.save(f"{folder}/pairs_from_{name}.keras")

# Cycles: three steps, with pools that are full after the first.
cycle = keras.models.load_model(f"{folder}/cycle.keras")
cycle.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-2), penalties=[P.R1(0.5)])
history = cycle.fit(sources, targets, batch_size=8, shuffle=False, verbose=0, validation_data=(sources, targets))
results.update({f"cycle_history/{key}": np.array(values) for key, values in history.history.items()})
results.update({f"cycle_images/{to}": cycle.translate(sources, to=to) for to in "ab"})
results.update({f"cycle_pool/{each.path}": ops.convert_to_numpy(each.images) for each in (cycle.pool_a, cycle.pool_b)})
np.savez(f"{folder}/{name}.npz", **results)
