"""Speed of a training step: a DCGAN step of this library on each backend, compared with the same step by hand.

The pair is the demo's, 28x28x1 with width 64, trained with the non-saturating loss and two Adams. Contenders share one
process per backend and alternate in each round, so that other load on the machine affects all alike; results are
medians over the rounds. `share` is a contender's share of the machine's rate of float32 matrix multiplication
(TensorFlow's, 1024 square), with operations counted from the layers: the two updates need 4 passes through the
generator and 8 through the discriminator, simultaneous ones 3 and 7.

Command:   python benchmarks/training.py
Minutes:   4, or --minutes; Ctrl-C ends it earlier and prints what it has
Needs:     jax and torch (make test-backends installs them); rows of a missing one are left out
Expected:  on 2 cores with AVX-512 `fit` takes 68 ms a step, 66 % of the rate: 1 to 4 % over the bare step, of which
           1 to 3 % is health; 1 to 5 % over plain TensorFlow; 0.75 to 0.81 times as long in mixed_bfloat16, and 0.81 to
           0.87 times with simultaneous=True. Plain torch takes 1.13 to 1.27 times as long at its best (eager, channels
           last), plain JAX and `fit` on JAX 4 times
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

BATCH, LATENT, WIDTH = 128, 64, 64
GENERATOR = LATENT * 49 * 2 * WIDTH + 49 * 16 * 2 * WIDTH * WIDTH + 196 * 16 * WIDTH
DISCRIMINATOR = 196 * 16 * WIDTH + 49 * 16 * WIDTH * 2 * WIDTH + 49 * 2 * WIDTH
OPERATIONS = 2 * BATCH * (4 * GENERATOR + 8 * DISCRIMINATOR)
SIMULTANEOUS = 2 * BATCH * (3 * GENERATOR + 7 * DISCRIMINATOR)
MATMUL = 1024
BACKENDS = ("tensorflow", "jax", "torch")
# Processor flags by which oneDNN chooses its code.
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
# Takes minutes by itself, and is not used in practice: Keras on torch, step by step.
SLOW = [("torch", "fit")]


def images(n=BATCH):
    import numpy as np

    return np.random.default_rng(0).uniform(-1, 1, (n, 28, 28, 1)).astype("float32")


# === Contenders: each makes a function that runs n steps and waits for them ===


def library(policy="float32", penalties=(), **compile_options):
    import keras

    import keras_gan

    keras.config.set_dtype_policy(policy)
    gan = keras_gan.GAN(
        keras_gan.architectures.dcgan_generator((28, 28, 1), LATENT, WIDTH),
        keras_gan.architectures.dcgan_discriminator((28, 28, 1), WIDTH),
        ema=None,
        seed=0,
    )
    keras.config.set_dtype_policy("float32")
    gan.compile(keras.optimizers.Adam(2e-4), keras.optimizers.Adam(2e-4), penalties=penalties, **compile_options)
    return gan


def fit(**options):
    import tensorflow as tf

    gan = library(**options)
    settings = tf.data.Options()
    settings.autotune.enabled = False
    data = tf.data.Dataset.from_tensor_slices(images(8 * BATCH)).repeat().batch(BATCH, drop_remainder=True)

    def run(n):
        gan.fit(data.take(n).with_options(settings), verbose=0)

    return run


def repeated(step, wait):
    def run(n):
        for _ in range(n):
            result = step()
        wait(result)

    return run


def processor():
    """Returns the name of the processor, and its flags that affect speed."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine(), []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    # With this variable users try how fast a processor with AVX2 alone would be.
    allowed = FLAGS[:1] if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() == "AVX2" else FLAGS
    flags = [flag for flag in allowed if flag in facts.get("flags", "").split()]
    return facts.get("model name", platform.machine()), flags


def has_bfloat16():
    import tensorflow as tf

    flags = processor()[1]
    return bool(tf.config.list_physical_devices("GPU")) or "avx512_bf16" in flags or "amx_bf16" in flags


def tensorflow_contenders():
    import tensorflow as tf

    def wait(result):
        return tf.nest.map_structure(lambda x: x.numpy(), result)

    def bare():
        gan, batch = library(), tf.constant(images())
        step = tf.function(gan.train_step)
        return repeated(lambda: step(batch), wait)

    def without_health():
        gan, batch = library(), tf.constant(images())
        step = tf.function(gan.train_step)
        with mock.patch("keras_gan.health.measure", lambda *_: {}):
            step(batch)  # Traced here, so that the graph lacks the patched part.
        return repeated(lambda: step(batch), wait)

    def by_hand():
        gan, batch = library(), tf.constant(images())
        G, D, entropy = gan.generator, gan.discriminator, tf.nn.sigmoid_cross_entropy_with_logits

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                fake = tf.stop_gradient(G(tf.random.normal((BATCH, LATENT)), training=True))
                r, f = D(batch, training=True), D(fake, training=True)
                d_loss = tf.reduce_mean(entropy(tf.ones_like(r), r) + entropy(tf.zeros_like(f), f))
            gan.discriminator_optimizer.apply(tape.gradient(d_loss, D.trainable_weights), D.trainable_weights)
            with tf.GradientTape() as tape:
                f = D(G(tf.random.normal((BATCH, LATENT)), training=True), training=True)
                g_loss = tf.reduce_mean(entropy(tf.ones_like(f), f))
            gan.generator_optimizer.apply(tape.gradient(g_loss, G.trainable_weights), G.trainable_weights)
            return d_loss, g_loss

        return repeated(step, wait)

    def matmul():
        a, b = (tf.random.normal((MATMUL, MATMUL)) for _ in range(2))
        return repeated(tf.function(lambda: tf.linalg.matmul(a, b)), wait)

    return {
        "matmul": matmul,
        "fit": fit,
        "fit, 10 steps an execution": lambda: fit(steps_per_execution=10),
        "fit, simultaneous": lambda: fit(simultaneous=True),
        # Emulated on other processors, ten times slower.
        **({"fit, mixed_bfloat16": lambda: fit(policy="mixed_bfloat16")} if has_bfloat16() else {}),
        "bare step": bare,
        "bare step without health": without_health,
        "plain": by_hand,
    }


def torch_contenders():
    import torch
    from torch import nn
    from torch.nn.functional import softplus

    device = "cuda" if torch.cuda.is_available() else "cpu"

    def up(n, m):
        return [nn.ConvTranspose2d(n, m, 4, 2, 1, bias=False), nn.BatchNorm2d(m), nn.ReLU()]

    def plain(memory_format=torch.contiguous_format, compiled=False, simultaneous=False):
        w = WIDTH
        G = nn.Sequential(
            nn.Linear(LATENT, 49 * 2 * w, bias=False),
            nn.Unflatten(1, (2 * w, 7, 7)),
            nn.BatchNorm2d(2 * w),
            nn.ReLU(),
            *up(2 * w, w),
            nn.ConvTranspose2d(w, 1, 4, 2, 1),
            nn.Tanh(),
        )
        D = nn.Sequential(
            nn.Conv2d(1, w, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(w, 2 * w, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(98 * w, 1),
        )
        G, D = (net.to(device, memory_format=memory_format) for net in (G, D))
        g_opt, d_opt = (torch.optim.Adam(net.parameters(), 2e-4) for net in (G, D))
        batch = torch.from_numpy(images()).permute(0, 3, 1, 2).to(device).contiguous(memory_format=memory_format)
        if compiled:
            G, D = torch.compile(G), torch.compile(D)

        def step():
            fake = G(torch.randn(BATCH, LATENT, device=device)).detach()
            d_loss = (softplus(-D(batch)) + softplus(D(fake))).mean()
            d_opt.zero_grad()
            d_loss.backward()
            d_opt.step()
            g_loss = softplus(-D(G(torch.randn(BATCH, LATENT, device=device)))).mean()
            g_opt.zero_grad()
            g_loss.backward()
            g_opt.step()
            return g_loss

        weights = list(G.parameters()), list(D.parameters())

        def shared():
            fake = D(G(torch.randn(BATCH, LATENT, device=device)))
            d_loss = (softplus(-D(batch)) + softplus(fake)).mean()
            d_gradients = torch.autograd.grad(d_loss, weights[1], retain_graph=True)
            g_gradients = torch.autograd.grad(softplus(-fake).mean(), weights[0])
            for own, gradients, optimizer in zip(weights, (g_gradients, d_gradients), (g_opt, d_opt), strict=True):
                for weight, gradient in zip(own, gradients, strict=True):
                    weight.grad = gradient
                optimizer.step()
            return d_loss

        return repeated(shared if simultaneous else step, lambda loss: loss.item())

    return {
        "fit": fit,
        "plain, eager": plain,
        "plain, eager, channels last": lambda: plain(torch.channels_last),
        "plain, eager, channels last, simultaneous": lambda: plain(torch.channels_last, simultaneous=True),
        "plain, compiled": lambda: plain(compiled=True),
    }


def jax_contenders():
    import jax
    import jax.numpy as jnp
    from jax import lax

    layout = ("NHWC", "HWIO", "NHWC")

    def normalize(x, scale, offset):
        axes = tuple(range(x.ndim - 1))
        return jax.nn.relu((x - x.mean(axes)) * lax.rsqrt(x.var(axes) + 1e-3) * scale + offset)

    def generate(p, z):
        x = normalize((z @ p["dense"]).reshape(-1, 7, 7, 2 * WIDTH), p["s1"], p["o1"])
        x = normalize(lax.conv_transpose(x, p["up1"], (2, 2), "SAME", dimension_numbers=layout), p["s2"], p["o2"])
        return jnp.tanh(lax.conv_transpose(x, p["up2"], (2, 2), "SAME", dimension_numbers=layout) + p["b"])

    def judge(p, x):
        for i in (1, 2):
            x = lax.conv_general_dilated(x, p[f"down{i}"], (2, 2), "SAME", dimension_numbers=layout) + p[f"b{i}"]
            x = jax.nn.leaky_relu(x, 0.2)
        return x.reshape(len(x), -1) @ p["dense"] + p["b"]

    def adam(p, g, state, rate=2e-4):
        t, m, v = state
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        rate *= jnp.sqrt(1 - 0.999 ** (t + 1)) / (1 - 0.9 ** (t + 1))
        return jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), p, m, v), (t + 1, m, v)

    def plain():
        keys, w = iter(jax.random.split(jax.random.key(0), 8)), WIDTH
        ones, zeros = jnp.ones, jnp.zeros

        def normal(*shape):
            return 0.02 * jax.random.normal(next(keys), shape)

        G = {"dense": normal(LATENT, 98 * w), "up1": normal(4, 4, 2 * w, w), "up2": normal(4, 4, w, 1), "b": zeros(1)}
        G |= {"s1": ones(2 * w), "o1": zeros(2 * w), "s2": ones(w), "o2": zeros(w)}
        D = {"down1": normal(4, 4, 1, w), "b1": zeros(w), "down2": normal(4, 4, w, 2 * w), "b2": zeros(2 * w)}
        D |= {"dense": normal(98 * w, 1), "b": zeros(1)}
        state = [G, D, *((0, *[jax.tree.map(jnp.zeros_like, p) for _ in range(2)]) for p in (G, D)), jax.random.key(1)]
        batch = jnp.asarray(images())

        @jax.jit
        def step(G, D, g_state, d_state, key):
            key, a, b = jax.random.split(key, 3)
            fake = generate(G, jax.random.normal(a, (BATCH, LATENT)))

            def d_loss(D):
                return (jax.nn.softplus(-judge(D, batch)) + jax.nn.softplus(judge(D, fake))).mean()

            D, d_state = adam(D, jax.grad(d_loss)(D), d_state)

            def g_loss(G):
                return jax.nn.softplus(-judge(D, generate(G, jax.random.normal(b, (BATCH, LATENT))))).mean()

            G, g_state = adam(G, jax.grad(g_loss)(G), g_state)
            return G, D, g_state, d_state, key

        def one():
            state[:] = step(*state)
            return state[0]

        return repeated(one, jax.block_until_ready)

    return {"fit": fit, "plain": plain}


# === Rounds ===


def serve(backend):
    """Runs in a separate process: for each line `contender n` on stdin it prints one line of seconds on stdout."""
    contenders = {"tensorflow": tensorflow_contenders, "jax": jax_contenders, "torch": torch_contenders}[backend]()
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({"contenders": list(contenders), "device": device(backend)}), file=answers, flush=True)
    ready = {}
    for line in sys.stdin:
        name, n = json.loads(line)
        if name not in ready:
            ready[name] = contenders[name]()
            ready[name](10)
        ready[name](2)  # The contender before has filled the caches with its data.
        start = time.perf_counter()
        ready[name](n)
        print(time.perf_counter() - start, file=answers, flush=True)


def device(backend):
    if backend == "tensorflow":
        import tensorflow as tf

        return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if backend == "jax":
        import jax

        return jax.devices()[0].device_kind
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def start(backend):
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", backend],
        env={"TF_ENABLE_ONEDNN_OPTS": "1", **os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Ctrl-C is for this process, which asks the others to end.
        start_new_session=True,
    )
    hello = process.stdout.readline()
    if not hello:
        command = f"KERAS_BACKEND={backend} {sys.executable} {__file__} --serve {backend}"
        sys.exit(f"The process for {backend} did not start. To see why, run: {command}")
    return process, json.loads(hello)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="turns of each contender, at most (default: 20)")
    parser.add_argument("--minutes", type=float, default=4.0, help="begins no round after so many (default: 4)")
    parser.add_argument("--all", action="store_true", help="also what takes minutes by itself: fit on torch")
    parser.add_argument("--steps", type=int, default=10, help="steps a turn (default: 10)")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS, help="default: those installed")
    parser.add_argument("--json", type=Path, help="file to write all timings to")
    parser.add_argument("--serve", choices=BACKENDS, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.serve:
        return serve(args.serve)
    if args.rounds < 1 or args.steps < 1 or not args.minutes > 0:
        parser.error("argument --rounds, --steps, --minutes: must be at least 1, and above 0")
    begun = time.monotonic()
    installed = [name for name in args.backends if importlib.util.find_spec(name)]
    processes = {name: start(name) for name in installed}
    seconds = {(name, c): [] for name, (_, hello) in processes.items() for c in hello["contenders"]}
    if not args.all:
        seconds = {key: times for key, times in seconds.items() if key not in SLOW}
    try:
        for round_ in range(args.rounds):
            # The first round compiles, and shows how long a round takes.
            if round_ and time.monotonic() - begun > 60 * args.minutes:
                break
            for (name, contender), times in list(seconds.items()):
                note = f"round {round_ + 1} of {args.rounds} at most: {name}, {contender}"
                print(f"\r\x1b[K{note}", end="", file=sys.stderr, flush=True)
                process = processes[name][0]
                process.stdin.write(json.dumps([contender, args.steps]) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
                if answer:
                    times.append(float(answer) / args.steps)
                else:
                    print(f"\r\x1b[KLeft out: {name}, {contender}. Its process ended.", file=sys.stderr)
                    del seconds[name, contender]
                    processes[name] = start(name)
    except KeyboardInterrupt:
        for process, _ in processes.values():
            process.terminate()
    print("\r\x1b[K", end="", file=sys.stderr)
    for process, _ in processes.values():
        process.stdin.close()
        process.wait()
    # In an interrupted round, only those that have run.
    seconds = {key: times for key, times in seconds.items() if times}
    if not seconds:
        sys.exit("Nothing was measured: it ended before the first turn was over.")
    report(seconds, {name: hello["device"] for name, (_, hello) in processes.items()})
    if args.json:
        rows = [{"backend": n, "contender": c, "seconds_per_step": times} for (n, c), times in seconds.items()]
        args.json.write_text(json.dumps({"batch": BATCH, "operations": OPERATIONS, "rows": rows}, indent=2) + "\n")


def report(seconds, devices):
    seconds = dict(seconds)
    name, flags = processor()
    rounds = {len(times) for times in seconds.values()}
    print(f"{name}, {' '.join(flags) or 'flags unknown'}; median of {max(rounds)}")
    multiply = seconds.pop(("tensorflow", "matmul"), None)
    rate = 2 * MATMUL**3 / statistics.median(multiply) if multiply else None
    print(
        f"{OPERATIONS / 1e9:.1f} billion operations a step of {BATCH} images; on "
        + ", ".join(f"{n}: {d}" for n, d in devices.items())
    )
    if rate:
        print(f"matrix multiplication: {rate / 1e9:.0f} billion operations a second")
    base = seconds.get(("tensorflow", "fit")) or next(iter(seconds.values()))
    print(f"\n{'':48}{'images/s':>9}{'ms/step':>9}{'to fit':>8}{'share':>7}")
    for (name, contender), times in seconds.items():
        t = statistics.median(times)
        # Per round, since the machine's speed changes over time.
        ratio = statistics.median(a / b for a, b in zip(times, base, strict=False))
        operations = SIMULTANEOUS if contender.endswith("simultaneous") else OPERATIONS
        share = f"{operations / t / rate:7.0%}" if rate else f"{'':7}"
        print(f"{name + ' ' + contender:48}{BATCH / t:9.0f}{t * 1e3:9.1f}{ratio:8.2f}{share}")


if __name__ == "__main__":
    main()
