"""Several replicas on TensorFlow: a loop over batches where Keras's own stands in the way.

Keras 3.15 can't run more than one step an execution on several replicas (keras-team/keras#19246), and not at all on
several hosts (keras-team/keras#20585). `tests/test_distribute.py` notices when it can.
"""

import tensorflow as tf


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

    def pass_over(self, logs, iterator):
        """What `train_function` is while batches go by that a backup has seen: it takes them, and returns `logs`."""
        for _ in range(self.steps_per_execution):
            next(iterator, None)
        return logs
