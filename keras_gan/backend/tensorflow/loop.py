"""The loop over batches on several replicas, where Keras's own stands in the way.

Keras 3.15 can't run more than one step an execution on several replicas (keras-team/keras#19246), and not at all on
several hosts (keras-team/keras#20585). `tests/test_distribute.py` notices when it can.
"""

import tensorflow as tf

from keras_gan import keras_private


class ReplicaLoop(keras_private.StepLoop):
    """Mixin for `keras.Model`, before it: one replica trains in Keras's loop, several in this one."""

    def make_step_loop(self, step_function):
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return super().make_step_loop(step_function)

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
    def is_chief(self):
        """Bool: this process is the one of many that writes files and logs."""
        return self.distribute_strategy.extended.should_checkpoint

    @property
    def is_alone(self):
        """Bool: no other process trains with this one."""
        return not isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)

    def skip_batches(self, logs, iterator):
        """Replaces `train_function` while resuming: consumes batches without training, and returns `logs`."""
        for _ in range(self.steps_per_execution):
            next(iterator, None)
        return logs
