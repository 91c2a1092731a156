"""A replica's part of a global batch under `tf.distribute`, and its weight: parts may differ in size."""

import threading

import tensorflow as tf


class _Here(threading.local):
    # Thread-local: `MirroredStrategy` traces each replica in its own thread.
    count, share, rows = None, 1.0, None


_here = _Here()


def replica():
    """Returns the index of this replica, and how many there are."""
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group, context.num_replicas_in_sync


def first_replica(batch):
    """Returns the first replica's part of a distributed batch; other batches are unchanged."""
    return batch.values[0] if isinstance(batch, tf.distribute.DistributedValues) else batch


def own_part(data):
    """Prepares this replica's part of a batch for a step, and sets `share` and `without_padding` for it.

    Args:
        data: Nested tensors `(n, ...)`; n is 0 on some replicas where a last batch is smaller than their number.

    Returns:
        The data, or zeros for one example where there are none, since the mean of nothing is NaN.
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


def with_shape(x, shape):
    """Sets the static shape of a batch's examples, which some datasets lack."""
    known = tf.TensorShape(x.shape)
    return x if known.rank is not None and known[1:].is_fully_defined() else tf.ensure_shape(x, [None, *shape])


def length(x):
    """Returns the number of examples of a batch, a scalar tensor, even when the rank is unknown."""
    return tf.shape(x)[0]


def share():
    """Returns the weight of this replica's part in a mean over the global batch: 0 where it has none."""
    return _here.share


def without_padding(x):
    """Drops the padding that `own_part` adds on an empty replica from a tensor `(n, ...)`."""
    return x if _here.count is None else x[: _here.count]


def fail_together(gradients):
    """Makes gradients NaN on all replicas if those of one are not finite: Keras checks only the first replica."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return gradients
    norm = context.all_reduce(tf.distribute.ReduceOp.SUM, global_norm(gradients))
    return [g if g is None else tf.where(tf.math.is_finite(norm), g, float("nan")) for g in gradients]


def global_norm(gradients):
    """Returns the norm of a list of gradients, float32: their types may differ within a network."""
    return tf.linalg.global_norm([g if g is None else tf.cast(g, "float32") for g in gradients])


def local_draw(draw, n, per_example=True):
    """Draws this replica's rows of random numbers; without it all replicas would draw the same.

    Args:
        draw: Function of a count that returns a tensor of that length.
        n: Int or scalar tensor, how many rows this replica needs; the others may need more, or fewer.
        per_example: Bool, whether `n` is the size of this replica's part of the batch: in a step, all replicas then
            know each other's `n` already. Defaults to True.

    Returns:
        Tensor of length `n`: together the replicas draw what one replica with the whole batch would.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return draw(n)
    known = per_example and _here.rows is not None
    rows = tf.cast(_here.rows if known else _parts(context, n), "int32")
    start = tf.reduce_sum(rows[: context.replica_id_in_sync_group])
    return draw(tf.reduce_sum(rows))[start : start + n]


def on_whole_batch(function, x):
    """Calls a function on the global batch, identically on all replicas.

    Args:
        function: Function of a tensor `(batch, ...)` that returns another of the same shape. What it draws and assigns
            is the same on all replicas.
        x: Tensor, this replica's part, in a step.

    Returns:
        Tensor like `x`: this replica's rows of the function's result.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return function(x)
    found = function(context.all_gather(without_padding(x), axis=0))
    counts = tf.cast(_parts(context, _here.count), "int32")
    start = tf.reduce_sum(counts[: context.replica_id_in_sync_group])
    return tf.concat([found[start : start + _here.count], x[_here.count :]], axis=0)


def _parts(context, n):
    """Returns the number of examples of each replica, float32 `(replicas,)`."""
    mine = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync) * tf.cast(n, "float32")
    return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)
