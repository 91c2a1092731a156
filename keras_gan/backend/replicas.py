"""Several replicas on TensorFlow: their parts of a batch, and a loop over batches where Keras's own stands in the way.

Keras 3.15 can't run more than one step an execution on several replicas (keras-team/keras#19246), and not at all on
several hosts (keras-team/keras#20585). `tests/test_distribute.py` notices when it can.
"""

import threading

import tensorflow as tf

# Replicas trace in threads of their own, which take turns where they meet: on the model one would read another's.
_here = threading.local()


class ReplicaLoop:
    """Mixin for `keras.Model`, before it: one replica trains in Keras's loop, several in this one."""

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras takes a batch apart here to build what isn't built: a GAN is, from its constructor on.
        pass

    def _make_function(self, step_function):
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return super()._make_function(step_function)

        def one(batch):
            logs = strategy.run(step_function, args=(batch,))
            return {
                name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None) for name, value in logs.items()
            }

        def several(iterator):
            logs = one(next(iterator))
            for _ in tf.range(self.steps_per_execution - 1):
                batch = iterator.get_next_as_optional()
                if not batch.has_value():
                    break
                logs = one(batch.get_value())
            return logs

        return several if self.run_eagerly else tf.function(several)

    @property
    def is_alone(self):
        """Whether no other process trains with this one."""
        return not isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)

    @staticmethod
    def without_padding(x):
        """What of `(n, ...)` are data: nothing on a replica that has got none, where `own_part` stands in."""
        count = getattr(_here, "count", None)
        return x if count is None else x[:count]

    def pass_over(self, logs, iterator):
        """What `train_function` is while batches go by that a backup has seen: it takes them, and returns `logs`."""
        for _ in range(self.steps_per_execution):
            next(iterator, None)
        return logs


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
    _here.share = tf.cast(n, "float32") / tf.reduce_sum(_parts(context, n))
    missing = tf.maximum(1 - n, 0)
    return tf.nest.map_structure(lambda x: tf.pad(x, [[0, missing], *[[0, 0]] * (x.shape.rank - 1)]), data)


def share():
    """What this replica's part of a batch counts for, in place of a mean of means: 0 where it has none."""
    return getattr(_here, "share", 1.0)


def fail_together(gradients):
    """Gradients that are NaN on all replicas if one's are not finite: scaling losses, Keras asks the first alone.

    Args:
        gradients: List of tensors, or None, on each replica those of its own part.

    Returns:
        List of the same, as they are or NaN.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return gradients
    norm = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.linalg.global_norm(gradients))
    return [g if g is None else tf.where(tf.math.is_finite(norm), g, float("nan")) for g in gradients]


def local_draw(draw, n):
    """This replica's rows of random numbers: without it every replica would draw the same.

    Args:
        draw: Function of a count that returns a tensor of that length.
        n: Int or scalar tensor, how many rows this replica needs; the others may need more, or fewer.

    Returns:
        Tensor of length `n`: the replicas' together are those of one replica with all of the batch.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return draw(n)
    parts = tf.cast(_parts(context, n), "int32")
    start = tf.reduce_sum(parts[: context.replica_id_in_sync_group])
    return draw(tf.reduce_sum(parts))[start : start + n]


def _parts(context, n):
    """How many examples each replica has, float32 `(replicas,)`."""
    mine = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync) * tf.cast(n, "float32")
    return context.all_reduce(tf.distribute.ReduceOp.SUM, mine)
