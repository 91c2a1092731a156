"""Cost of a step of Pix2Pix compared with the same step by hand in plain TensorFlow, in CPU seconds.

The pair is U-Net and patch discriminator of width 32 at 64x64x3, batches of 16, without R1, with Adam. Both contenders
alternate in one process; the ratio is the median over pairs of runs, with its 95 % confidence interval. `alternating`
updates the discriminator first and the generator on new outputs; `simultaneous` both on the same outputs, as
TensorFlow's tutorial does.

Command:   python benchmarks/translation.py
Minutes:   4 on 2 CPU cores
Expected:  on 2 cores with AVX-512 1.02 in both rows (0.98 to 1.06); simultaneous steps take 0.8 times as long
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Set before TensorFlow is imported: on x86 processors without AVX-512, training steps are up to twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import argparse
import json
import statistics
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import keras_gan

SIZE, BATCH, WIDTH, WEIGHT = 64, 16, 32, 100.0


def networks(size, width):
    generator = keras_gan.architectures.unet_generator((size, size, 3), width=width)
    return generator, keras_gan.architectures.patch_discriminator((size, size, 6), width=width)


def library(size, width, simultaneous):
    """Returns a compiled step of `Pix2Pix`, a function of a batch."""
    model = keras_gan.Pix2Pix(*networks(size, width), seed=0)
    model.compile(reconstruction_weight=WEIGHT, simultaneous=simultaneous)
    return tf.function(model.train_step)


def by_hand(size, width, simultaneous):
    """Returns the step as written by hand with two tapes."""
    G, D = networks(size, width)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits
    g_optimizer, d_optimizer = (keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))
    for network, optimizer in ((G, g_optimizer), (D, d_optimizer)):
        optimizer.build(network.trainable_variables)

    def d_loss(source, target, output):
        real, fake = (D(tf.concat([source, image], -1), training=True) for image in (target, output))
        return tf.reduce_mean(entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake)), fake

    def g_loss(target, output, fake):
        return tf.reduce_mean(entropy(tf.ones_like(fake), fake)) + WEIGHT * tf.reduce_mean(tf.abs(target - output))

    def apply(network, optimizer, tape, loss):
        optimizer.apply(tape.gradient(loss, network.trainable_weights), network.trainable_weights)

    @tf.function
    def together(batch):
        source, target = batch
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            output = G(source, training=True)
            loss, fake = d_loss(source, target, output)
            g = g_loss(target, output, fake)
        d_gradients = d_tape.gradient(loss, D.trainable_weights)
        g_gradients = g_tape.gradient(g, G.trainable_weights)
        d_optimizer.apply(d_gradients, D.trainable_weights)
        g_optimizer.apply(g_gradients, G.trainable_weights)
        return loss, g

    @tf.function
    def in_turn(batch):
        source, target = batch
        output = G(source, training=True)
        with tf.GradientTape() as tape:
            loss, _ = d_loss(source, target, output)
        apply(D, d_optimizer, tape, loss)
        with tf.GradientTape() as tape:
            output = G(source, training=True)
            g = g_loss(target, output, D(tf.concat([source, output], -1), training=True))
        apply(G, g_optimizer, tape, g)
        return loss, g

    return together if simultaneous else in_turn


def spent(step, batch, n):
    """Returns the CPU seconds that a step takes."""
    begun = time.process_time()
    for _ in range(n):
        result = step(batch)
    tf.nest.map_structure(lambda x: x.numpy(), result)
    return (time.process_time() - begun) / n


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="pairs of turns (default: 20)")
    parser.add_argument("--steps", type=int, default=10, help="steps a turn (default: 10)")
    parser.add_argument("--quick", action="store_true", help="small images, 2 rounds of one step")
    parser.add_argument("--json", type=Path, help="file to write all figures to")
    args = parser.parse_args(argv)
    size, width, rounds, steps = (16, 4, 2, 1) if args.quick else (SIZE, WIDTH, args.rounds, args.steps)
    if rounds < 1 or steps < 1:
        parser.error("argument --rounds, --steps: must be at least 1")
    rng = np.random.default_rng(0)
    batch = tuple(tf.constant(x) for x in rng.uniform(-1, 1, (2, BATCH, size, size, 3)).astype("float32"))
    figures = {}
    for kind in ("alternating", "simultaneous"):
        contenders = [make(size, width, kind == "simultaneous") for make in (library, by_hand)]
        for step in contenders:
            spent(step, batch, 3)
        pairs = [[spent(step, batch, steps) for step in contenders] for _ in range(rounds)]
        ratios = sorted(own / other for own, other in pairs)
        # The order statistics of the 95 % confidence interval of the median.
        k = max(0, int((rounds - 1.96 * rounds**0.5) / 2))
        low, high = ratios[k], ratios[rounds - 1 - k]
        own, other = (statistics.median(x) for x in zip(*pairs, strict=True))
        ratio = statistics.median(ratios)
        print(f"{kind:13} {own:.3f} s a step, by hand {other:.3f}: {ratio:.3f} ({low:.3f} to {high:.3f})", flush=True)
        figures[kind] = {"seconds": pairs, "ratio": ratio, "interval": [low, high]}
        keras.backend.clear_session()
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
