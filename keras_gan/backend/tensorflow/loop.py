"""The loop over batches on several replicas, which replaces Keras's own.

Keras 3.15 can't run more than one step per execution on several replicas (keras-team/keras#19246), and can't train on
several hosts at all (keras-team/keras#20585). `tests/system/test_distribute.py` notices when it can.
"""

import warnings

import tensorflow as tf

from keras_gan import keras_private


class ReplicaLoop(keras_private.StepLoop):
    """Mixin that precedes `keras.Model`: one replica trains in Keras's loop, several in this one."""

    def make_step_loop(self, step_function):
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return super().make_step_loop(step_function)

        # As in Keras's loop: converting a step's code with AutoGraph would double the time until the first step.
        @tf.autograph.experimental.do_not_convert
        def one(batch):
            logs = strategy.run(step_function, args=(batch,))
            return {
                name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None) for name, value in logs.items()
            }

        if self.jit_compile:
            warnings.warn("jit_compile=True is ignored on several replicas, where XLA can't be used.", stacklevel=2)

        def several(iterator):
            logs = one(next(iterator))
            # A loop is traced even if it has no iterations, and the step would be traced a second time with it.
            if self.steps_per_execution == 1:
                return logs
            for _ in tf.range(self.steps_per_execution - 1):
                batch = iterator.get_next_as_optional()
                if not batch.has_value():
                    break
                logs = one(batch.get_value())
            return logs

        loop = several if self.run_eagerly else tf.function(several)

        def distributed(iterator):
            if isinstance(iterator, (tf.data.Iterator, tf.distribute.DistributedIterator)):
                return loop(iterator)
            # `train_on_batch` and `test_on_batch` pass one batch of arrays.
            batch = tuple(part for part in next(iterator) if part is not None)
            examples = tf.data.Dataset.from_tensor_slices(batch)
            batches = examples.batch(len(tf.nest.flatten(batch)[0]))
            return loop(iter(strategy.experimental_distribute_dataset(batches)))

        return distributed

    @property
    def is_chief(self):
        """Bool, whether this is the one process that writes files and logs."""
        return self.distribute_strategy.extended.should_checkpoint

    @property
    def is_alone(self):
        """Bool: no other process trains with this one."""
        return not isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)

    def of_worker(self, data):
        """Lets a worker read only its part of each batch, for data that support it; it would read all otherwise.

        Args:
            data: What `fit` takes.

        Returns:
            Distributed data, or `data` unchanged.
        """
        parts = None if self.is_alone else keras_private.parts_of(data)
        if parts is None:
            return data

        def own(context):
            workers = context.num_input_pipelines
            return parts(context.input_pipeline_id, workers, context.num_replicas_in_sync // workers)

        distributed = self.distribute_strategy.distribute_datasets_from_function(own)
        return keras_private.own_part(distributed, data)

    def skip_batches(self, logs, iterator):
        """Replaces `train_function` while resuming: consumes batches without training, and returns `logs`."""
        for _ in range(self.steps_per_execution):
            next(iterator, None)
        return logs
