"""A replica's part of a batch under `tf.distribute`, which need not be as large as another's: what it counts for."""

import threading

import tensorflow as tf


class _Here(threading.local):
    # Replicas trace in threads of their own, which take turns where they meet: on the model one would read another's.
    count, share, rows = None, 1.0, None


_here = _Here()


def own_part(data):
    """This replica's part of a batch, ready for a step; `share` and `without_padding` refer to it from then on.

    Args:
        data: Nested tensors `(n, ...)`; n is 0 on some replicas where a last batch is smaller than their number.

    Returns:
        The data, of zeros for one example where there are none, since the mean of nothing is NaN.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        _here.count, _here.share = None, 1.0
        return data
    _here.count = n = tf.shape(tf.nest.flatten(data)[0])[0]
    parts = _parts(context, n)
    _here.share = tf.cast(n, "float32") / tf.reduce_sum(parts)
    _here.rows = tf.maximum(parts, 1)
    missing = tf.maximum(1 - n, 0)
    return tf.nest.map_structure(lambda x: tf.pad(x, [[0, missing], *[[0, 0]] * (x.shape.rank - 1)]), data)


def share():
    """What this replica's part of a batch counts for, in place of a mean of means: 0 where it has none."""
    return _here.share


def without_padding(x):
    """What of `(n, ...)` are data: nothing on a replica that has got none, where `own_part` stands in."""
    return x if _here.count is None else x[: _here.count]


def fail_together(gradients):
    """A list of gradients: NaN on all replicas if one's are not finite, since Keras asks the first when it scales."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return gradients
    norm = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.linalg.global_norm(gradients))
    return [g if g is None else tf.where(tf.math.is_finite(norm), g, float("nan")) for g in gradients]


def local_draw(draw, n, per_example=True):
    """This replica's rows of random numbers: without it every replica would draw the same.

    Args:
        draw: Function of a count that returns a tensor of that length.
        n: Int or scalar tensor, how many rows this replica needs; the others may need more, or fewer.
        per_example: Bool, whether its part of the batch has as many, which in a step all know. Defaults to True.

    Returns:
        Tensor of length `n`: the replicas' together are those of one replica with all of the batch.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return draw(n)
    known = per_example and _here.rows is not None
    rows = tf.cast(_here.rows if known else _parts(context, n), "int32")
    start = tf.reduce_sum(rows[: context.replica_id_in_sync_group])
    return draw(tf.reduce_sum(rows))[start : start + n]


def _parts(context, n):
    """How many examples each replica has, float32 `(replicas,)`."""
    mine = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync) * tf.cast(n, "float32")
    return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)
