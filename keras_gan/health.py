"""What a healthy game looks like, in numbers that cost next to nothing: logged at each step of training."""

import keras
from keras import ops


def names(loss, loss_scales=True):
    """The names of what `measure` returns for a loss, in their order in the logs."""
    return [
        "real_score",
        "fake_score",
        "diversity",
        *(["implied_jensen_shannon"] if _implies(loss) else []),
        "discriminator_gradient_norm",
        "generator_gradient_norm",
        *(["discriminator_loss_scale", "generator_loss_scale"] if loss_scales else []),
    ]


def measure(loss, real, d, g):
    """What one step says of both players.

    Args:
        loss: The adversarial loss, from `keras_gan.losses`.
        real: Tensor of data `(batch, ...)`.
        d: Dict of the discriminator's update: its `loss`, `real_logits`, `fake_logits`, the `fake` data and its
            `gradient_norm`; in float16 its `loss_scale`.
        g: Dict of the generator's update: its `gradient_norm`; in float16 its `loss_scale`.

    Returns:
        Dict of scalar tensors: `real_score` and `fake_score`, the means of D(x) and D(G(z)), probabilities for a loss
        that has them and raw outputs for another; the `diversity` of fakes; for a minimax loss without smoothing
        `implied_jensen_shannon`, the divergence in nats that the discriminator has found; both gradient norms and, in
        float16, both loss scales.
    """
    score = getattr(loss, "score", lambda logits: logits)
    values = {
        "real_score": ops.mean(score(ops.cast(d["real_logits"], "float32"))),
        "fake_score": ops.mean(score(ops.cast(d["fake_logits"], "float32"))),
        "diversity": diversity(real, d["fake"]),
        "discriminator_gradient_norm": d["gradient_norm"],
        "generator_gradient_norm": g["gradient_norm"],
    }
    for player, update in (("discriminator", d), ("generator", g)):
        if "loss_scale" in update:
            values[f"{player}_loss_scale"] = update["loss_scale"]
    if _implies(loss):
        values["implied_jensen_shannon"] = loss.implied_jensen_shannon(d["loss"])
    return values


def diversity(real, fake):
    """How far a fake lies from its nearest neighbour in the batch, relative to reals.

    `mean_i min_j ||G(z_i) - G(z_j)|| / mean_i min_j ||x_i - x_j||`, `j != i`: 1 where fakes vary as reals do, near 0
    where the generator makes one thing, or a few things over and over.

    Args:
        real: Tensor `(batch, ...)`.
        fake: Tensor of the same shape.

    Returns:
        Scalar tensor; 1 for a batch of a single example, and where neither varies.
    """
    smallest = keras.config.epsilon()
    return (_nearest(fake) + smallest) / (_nearest(real) + smallest)


def _nearest(x):
    x = ops.cast(x, "float32")
    n = ops.shape(x)[0]
    x = ops.reshape(x, (n, -1))
    # Squares of what is left after centring lose fewer digits in the subtraction below.
    x -= ops.mean(x, axis=0)
    squares = ops.sum(ops.square(x), axis=1)
    distances = squares[:, None] + squares[None] - 2 * ops.matmul(x, ops.transpose(x))
    beyond = ops.max(squares) * 4
    nearest = ops.min(ops.where(ops.eye(n, dtype="bool"), beyond, distances), axis=1)
    return ops.where(n > 1, ops.mean(ops.sqrt(ops.maximum(nearest, 0.0))), 0.0)


def _implies(loss):
    return getattr(loss, "label_smoothing", None) == 0 and hasattr(loss, "implied_jensen_shannon")
