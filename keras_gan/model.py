"""The base class of all models whose players train against each other."""

import contextlib
import inspect
import math
import warnings
from pathlib import Path

import keras
from keras import ops

from keras_gan import backend, checks, keras_private, networks
from keras_gan.callbacks import fitting
from keras_gan.metrics import base as metrics
from keras_gan.optimizers import OptimizerGroup, get_optimizer, scales_loss, serialize
from keras_gan.saving import random_state, replacing
from keras_gan.step_means import StepMeans

_EVALUATION_SEED = 1406_2661


class AdversarialModel(backend.Trainer, keras_private.FinalLogs, keras.Model):
    """Base class of models with any number of players, each with its own optimizer and objective.

    A subclass names its players, and defines a step of training and one of evaluation. It inherits the rest: `fit` and
    `evaluate` on TensorFlow, JAX and torch, on several replicas and hosts; one optimizer for each player, with loss
    scaling in float16; callbacks, backups, metrics and means; saving with the random state. A subclass must define
    `get_config`, as any Keras model, and may override `check_data`, `check_given`, `smallest_batch`, `shape_for`,
    `preview`, `alarms`, `culprit` and `hidden_logs`. If it adds options to `compile`, it sets them before it calls
    `super().compile(optimizers, ...)`, and adds them to the dict of `get_compile_config`, so that they are saved.

    Args:
        seed: Int, makes the random numbers of training reproducible. Defaults to None, another seed for each run.
        **kwargs: `name` and `dtype`, as for any `keras.Model`.

    Attributes:
        training_seed: `keras.random.SeedGenerator` for all that a step of training draws.
        evaluation_seed: `keras.random.SeedGenerator` for evaluations. Each begins with the same state.
        evaluation_metrics: List of the metrics of `compile`.
        data_shape: Tuple, the shape of one example that metrics compare. A subclass with metrics sets it.
        data_range: Pair of numbers, the range of the data, for features that take another range. Defaults to None,
            not known.

    Example:

    ```python
    @keras.saving.register_keras_serializable()
    class Regression(keras_gan.AdversarialModel):
        def __init__(self, network, seed=None, **kwargs):
            super().__init__(seed, **kwargs)
            self.network = network

        def players(self):
            return {"network": self.network}

        def log_names(self):
            return ["error"]

        def adversarial_step(self, data):
            (report,) = self.update(["network"], lambda: [(self.error(data, training=True), {})])
            return {"error": report["loss"]}

        def evaluation_step(self, data):
            return {"error": self.error(data, training=False)}

        def error(self, data, training):
            x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
            return keras.ops.mean(keras.ops.square(self.network(x, training=training) - y))

        def get_config(self):
            return {**super().get_config(), "network": keras.saving.serialize_keras_object(self.network)}


    model = Regression(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
    model.compile(optimizers={"network": keras.optimizers.SGD(0.1)})
    model.fit(np.ones((64, 2)), np.zeros((64, 1)), epochs=10)
    model.network(np.ones((64, 2))).shape  # (64, 1)
    ```
    """

    data_shape = None
    data_range = None

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = checks.check_seed(seed)
        self.training_seed = keras.random.SeedGenerator(self.seed)
        self.evaluation_seed = keras.random.SeedGenerator(_EVALUATION_SEED)
        self.evaluation_metrics = []
        # `StepMeans` of the logs of training steps; None before `compile`.
        self.step_means = None
        # The first settings, for comparisons of backups: learning rates change later.
        self.first_settings = None
        self._jit_option = "auto"
        # For `final_logs`: the running evaluation, and the names logged by the last one.
        self._evaluating = None
        self._evaluated = []
        self._later = checks.Later(self.check_given)
        self.built = True

    def __setattr__(self, name, value):
        # Keras would keep tracking, and saving, parts that a new compile() replaces.
        # On torch, layers are kept as modules.
        old = self.__dict__.get(name, self.__dict__.get("_modules", {}).get(name))
        for part in old if isinstance(old, (list, tuple)) else [old]:
            if part is not value and isinstance(part, (keras.Layer, keras.metrics.Metric)):
                keras_private.forget(self, part)
        super().__setattr__(name, value)

    # === For subclasses ===

    def players(self):
        """Returns the players: a dict from a name to a network, or to a list of networks that share an optimizer.

        Each has an optimizer, `model.NAME_optimizer`, and an objective. The last one leads: it is updated once a step,
        its optimizer counts the steps, and callbacks see its learning rate.
        """
        raise NotImplementedError

    def log_names(self):
        """Returns the list of names that steps log, in order. It is called after the options of `compile` are set.

        Names returned by `evaluation_step` must be among them.
        """
        raise NotImplementedError

    def adversarial_step(self, data):
        """Trains on one batch.

        Args:
            data: One batch of the data of `fit`: `keras.utils.unpack_x_y_sample_weight` unpacks it.

        Returns:
            Dict of scalar tensors by name. Their means over the epoch, weighted by the size of batches, are logged.
        """
        raise NotImplementedError

    def evaluation_step(self, data):
        """Evaluates one batch in inference mode, and updates the metrics by `update_metrics`.

        Takes and returns the same as `adversarial_step`.
        """
        raise NotImplementedError

    def check_data(self, x, y):
        """Checks data before the first step.

        Args:
            x: The `x` of `fit` if it consists of arrays; otherwise the `x` of the first batch.
            y: Likewise, or None.

        Returns:
            `x` and `y`. `x` must be returned unchanged, since only the first batch of a stream is checked. If None is
            returned for `y`, training gets no `y`.

        Raises:
            ValueError: If the data can't be trained on.
        """
        return x, y

    def check_given(self, given, n):
        """Checks the `y` of a later batch of a stream, such as labels, during training.

        Args:
            given: NumPy array, the `y` of a batch.
            n: Int, how many examples the batch has.

        Raises:
            ValueError: If the batch can't be trained on. Training ends.
        """

    @property
    def smallest_batch(self):
        """Int, the smallest batch size of a training step. A smaller last batch is skipped."""
        return 1

    def preview(self, n, seed=0, given=None):
        """Returns images `(n, height, width, channels)` in [-1, 1] for `keras_gan.callbacks.SampleGrid`."""
        raise NotImplementedError(f"{type(self).__name__} has no preview().")

    def alarms(self):
        """Returns a list of `keras_gan.health.Alarm` for `keras_gan.callbacks.TrainingHealth`."""
        return []

    def culprit(self, broken):
        """Names the part of a step that made the first value that is not finite.

        `broken` is the set of the names of the logs that are not finite.
        """
        return next((name for name in self.log_names() if name in broken), " and ".join(sorted(broken)))

    @property
    def hidden_logs(self):
        """List of names that the progress bar omits."""
        return []

    # === Training ===

    def update(self, names, objectives):
        """Updates players simultaneously, each down the gradient of its objective with respect to its weights.

        Args:
            names: List of names of players.
            objectives: Function without arguments, called once. For each player in `names`, it returns a pair: a scalar
                tensor, and a dict of tensors to report. Losses of layers, such as regularizers, are not added
                automatically: add `sum(network.losses)`, which holds the losses of the network's last call, to the
                scalar.

        Returns:
            List of the reports. Each also has `"loss"`, the scalar, unless it has a loss already; `"gradient_norm"`;
            and, if the optimizer scales the loss, `"loss_scale"`.
        """
        unknown = [name for name in names if name not in self.optimizer.by_player]
        if unknown:
            raise ValueError(f"names must be among {list(self.optimizer.by_player)}. Received: {unknown[0]!r}.")

        def objectives_with_reports():
            results = list(objectives())
            if len(results) != len(names):
                raise ValueError(f"objectives must return one pair for each of {names}. Received: {len(results)}.")
            return [(scalar, {"loss": scalar, **report}) for scalar, report in results]

        movers = [(self._variables(name), self.optimizer.by_player[name]) for name in names]
        reports = []
        for (_, optimizer), (report, norm) in zip(movers, self._descend(movers, objectives_with_reports), strict=True):
            if scales_loss(optimizer):
                # If the scaled gradient overflows, the optimizer skips the step and lowers the scale.
                norm = ops.where(ops.isfinite(norm), norm, 0.0)
                report = {**report, "loss_scale": ops.convert_to_tensor(optimizer.dynamic_scale)}
            reports.append({**report, "gradient_norm": norm})
        return reports

    def _networks(self, name):
        player = self.players()[name]
        return list(player) if isinstance(player, (list, tuple)) else [player]

    def _variables(self, name):
        # Networks may share layers.
        return list({id(v): v for network in self._networks(name) for v in network.trainable_variables}.values())

    def compile(self, optimizers=None, metrics=(), run_eagerly=False, steps_per_execution=1, jit_compile="auto"):
        """Configures training.

        Args:
            optimizers: Dict, name of each player to a `keras.optimizers.Optimizer` or its name.
            metrics: List of `keras.metrics.Metric` that evaluation updates; training does not.
            run_eagerly: Bool, as in `keras.Model.compile`.
            steps_per_execution: Int, as in `keras.Model.compile`.
            jit_compile: Bool or `"auto"`, as in `keras.Model.compile`.

        Raises:
            ValueError: If a player has no optimizer, two have the same object, or a network has no trainable weights;
                or if two metrics log a result of the same name.
            TypeError: If a metric is of the wrong type.
        """
        by_player = self._check_optimizers(optimizers)
        checks.check_metrics(metrics)
        _warn_of_unsaved_options(type(self))
        super().compile(
            optimizer=None, run_eagerly=run_eagerly, steps_per_execution=steps_per_execution, jit_compile=jit_compile
        )
        self._jit_option = jit_compile
        for name, optimizer in by_player.items():
            _check_not_of_others(name, optimizer, self._variables(name))
            # Before any weights are loaded: Keras skips the state of an optimizer without variables.
            optimizer.build(self._variables(name))
            setattr(self, f"{name}_optimizer", optimizer)
        self.optimizer = OptimizerGroup(by_player)
        for metric in metrics:
            # Variables can't be made inside a compiled step.
            if hasattr(metric, "build"):
                if self.data_shape is None:
                    raise ValueError(
                        f"data_shape must be set by the constructor of {type(self).__name__}: metrics need the shape "
                        f"of one example. Received: None, with the metric {type(metric).__name__}."
                    )
                metric.build(self.shape_for(metric))
        names = self.log_names()
        checks.check_names(names, metrics)
        self.evaluation_metrics = list(metrics)
        self.step_means = StepMeans(names)
        self.first_settings = None
        # Called here because every process runs `compile`.
        keras_private.remember_what_saving_skips()

    def _check_optimizers(self, optimizers):
        """Returns a dict of an optimizer for each player, in the order of the players."""
        networks = {name: self._networks(name) for name in self.players()}
        if not isinstance(optimizers, dict) or set(optimizers) != set(networks):
            received = sorted(optimizers) if isinstance(optimizers, dict) else repr(optimizers)
            raise ValueError(
                f"optimizers must be a dict with an optimizer for each player, {list(networks)}. Received: {received}."
            )
        found = {name: get_optimizer(f"optimizers[{name!r}]", optimizers[name]) for name in networks}
        names = {}
        for name, optimizer in found.items():
            if id(optimizer) in names:
                raise ValueError(
                    f"The optimizers of {names[id(optimizer)]} and {name} must be two objects, since each keeps the "
                    f"moments of one player. Received the same object twice: {optimizer!r}."
                )
            names[id(optimizer)] = name
        for name in networks:
            checks.check_trainable(name, networks[name])
        # Keras does this only for `model.optimizer`: without it small gradients are zero in float16.
        layers = [layer for player in networks.values() for n in player for layer in keras_private.layers_of(n)]
        if any(layer.compute_dtype == "float16" for layer in layers):
            found = {name: o if scales_loss(o) else keras.optimizers.LossScaleOptimizer(o) for name, o in found.items()}
        return found

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """Trains, as `keras.Model.fit` does.

        Args:
            x: Data: an array, a `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator.
            y: Labels or targets, if `x` is an array.
            batch_size: Int, if `x` is an array.
            epochs: Int, the number of the last epoch.
            verbose: 0, 1, 2 or `"auto"`, as in `keras.Model.fit`.
            callbacks: List of `keras.callbacks.Callback`. If several processes train together, those that write files
                do so only in the first process; `BackupAndRestore` restores in all of them.
            validation_split: Float in [0, 1), the share of arrays that is held out for validation.
            validation_data: Data of the same kind to evaluate after each epoch: an array, `(x, y)`, or a stream.
            shuffle: Bool, whether arrays and a `PyDataset` are shuffled before each epoch.
            class_weight: Must be None.
            sample_weight: Must be None.
            initial_epoch: Int, the epoch to begin with.
            steps_per_epoch: Int, the number of batches in an epoch, for infinite data.
            validation_steps: Int, likewise for `validation_data`.
            validation_batch_size: Int, if `validation_data` is an array. Defaults to `batch_size`.
            validation_freq: Int n, to validate after every n-th epoch; or list of ints, the epochs to validate after.

        Returns:
            `keras.callbacks.History` of the logs in `log_names` and, if there is `validation_data`, of the results of
            evaluation, prefixed with `val_`. If the losses are not finite, metrics that need finite features are NaN.

        Raises:
            ValueError: Before the first step, if the data can't be trained on, or there are sample or class
                weights.
        """
        if not self.compiled:
            raise ValueError("compile() must be called before fit().")
        _refuse_weights(class_weight, sample_weight)
        for name, optimizer in self.optimizer.by_player.items():
            if not _is_of(optimizer, self._variables(name)):
                raise ValueError(
                    f"The trainable weights of {name} must be the same as in compile(). Received: others, since "
                    "`trainable` was changed. No network needs freezing: each update changes only the weights of its "
                    "own player. Call compile() again."
                )
        if steps_per_epoch is None:
            checks.check_ends(x, "steps_per_epoch")
        x, y = self._check(x, y, batch_size)
        if validation_data is not None:
            x_val, y_val, weight = keras.utils.unpack_x_y_sample_weight(validation_data)
            _refuse_weights(None, weight)
            if validation_steps is None:
                checks.check_ends(x_val, "validation_steps")
            x_val, y_val = self._check(x_val, y_val, validation_batch_size or batch_size)
            validation_data = keras.utils.pack_x_y_sample_weight(x_val, y_val)
        backend.warn_of_slow_processor()
        if not self.is_chief:
            verbose, callbacks = 0, fitting.without_writers(callbacks)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = fitting.complete(callbacks, verbose, (x, validation_data), self.evaluation_metrics)
        try:
            with self._later.shown(), fitting.in_training(callbacks):
                history = super().fit(
                    self.of_worker(x),
                    y,
                    batch_size,
                    epochs,
                    verbose,
                    callbacks,
                    validation_split=validation_split,
                    validation_data=self.of_worker(validation_data),
                    # Avoids Keras's warning that it can't shuffle a stream.
                    shuffle=shuffle and (checks.is_arrays(x) or isinstance(x, keras.utils.PyDataset)),
                    initial_epoch=initial_epoch,
                    steps_per_epoch=steps_per_epoch,
                    validation_steps=validation_steps,
                    validation_batch_size=validation_batch_size,
                    validation_freq=validation_freq,
                )
        finally:
            # Resets the epoch of a restored backup: Keras would start there again at the next call.
            keras_private.start_at(self, None)
        # Keras does this only for `model.optimizer`; it matters for optimizers with `use_ema=True`.
        for name, optimizer in self.optimizer.by_player.items():
            optimizer.finalize_variable_values(self._variables(name))
        return history

    def _check(self, x, y, batch_size):
        later = None if type(self).check_given is AdversarialModel.check_given else self._later
        return checks.check_data(x, y, batch_size, self.check_data, self.smallest_batch, later)

    def _fits(self, data):
        """Checks if a batch has enough examples for a step: a bool, or a tensor if sizes are unknown."""
        return self.smallest_batch == 1 or backend.length(keras.tree.flatten(data)[0]) >= self.smallest_batch

    def _log_means(self, values, data):
        """Updates the means with the results of a step, and returns those means so far."""
        unknown = set(values) - set(self.step_means.names)
        if unknown:
            raise ValueError(
                f"A step must return what log_names() lists, {self.step_means.names}. "
                f"Received: {', '.join(sorted(unknown))}."
            )
        examples = next(x for x in keras.tree.flatten(data) if x is not None)
        self.step_means.update_state(values, backend.length(self.without_padding(examples)))
        return {name: mean for name, mean in self.step_means.result().items() if name in values}

    @property
    def metrics(self):
        return [*([] if self.step_means is None else [self.step_means]), *self.evaluation_metrics]

    # === Evaluation ===

    def shape_for(self, metric):
        """Returns the shape of one example for a metric of `compile`: `data_shape`, unless overridden."""
        return self.data_shape

    def update_metrics(self, real, fake, among=None):
        """Updates metrics with a batch of data and one of outputs, in `evaluation_step`.

        Args:
            real: Tensor of data `(batch, ...)`.
            fake: Tensor of outputs.
            among: List of metrics. Defaults to None, those of `compile`.
        """
        real, fake = self.without_padding(real), self.without_padding(fake)
        metrics.update(self.evaluation_metrics if among is None else among, real, fake, self.data_range)

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **kwargs,
    ):
        """Evaluates on data, as `keras.Model.evaluate` does.

        Args:
            x: Data, as in `fit`.
            y: Labels or targets, as in `fit`.
            batch_size: Int, if `x` is an array.
            verbose: 0, 1, 2 or `"auto"`, as in `keras.Model.evaluate`.
            sample_weight: Must be None.
            steps: Int, the number of batches, for infinite data.
            callbacks: List of `keras.callbacks.Callback`.
            return_dict: Bool, whether to return a dict of names rather than a list. Defaults to False.

        Returns:
            The logs of `evaluation_step`, then the results of the metrics of `compile`: a list of floats, one float, or
            a dict. Each call draws the same random numbers.

        Raises:
            ValueError: Before the first step, as `fit`.
        """
        _refuse_weights(None, sample_weight)
        in_fit = keras_private.IN_FIT in kwargs
        if not in_fit:  # `fit` has checked those data.
            if steps is None:
                checks.check_ends(x, "steps")
            x, y = self._check(x, y, batch_size)
        self._evaluating = "in fit" if in_fit else "alone"
        try:
            with contextlib.nullcontext() if in_fit else self._later.shown():
                logs = super().evaluate(
                    x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict=True, **kwargs
                )
        finally:
            self._evaluating = None
        return logs if return_dict else self._in_order(logs, self.metrics_names)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """Trains on one batch, as `keras.Model.train_on_batch` does, with the checks of `fit`."""
        _refuse_weights(class_weight, sample_weight)
        logs = super().train_on_batch(*self._check(x, y, None), return_dict=True)
        return logs if return_dict else self._in_order(logs, self.step_means.names)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Evaluates on one batch, as `keras.Model.test_on_batch` does, with the metrics of `compile`."""
        _refuse_weights(None, sample_weight)
        logs = super().test_on_batch(*self._check(x, y, None), return_dict=True)
        self._evaluating = "alone"
        try:
            logs = {name: float(value) for name, value in self.final_logs(logs).items()}
        finally:
            self._evaluating = None
        return logs if return_dict else self._in_order(logs, self.metrics_names)

    def _in_order(self, logs, names):
        # Keras would sort these logs by name, since no log has the name of a metric in `metrics`.
        known = [name for name in names if name in logs]
        values = [logs[name] for name in [*known, *sorted(set(logs) - set(known))]]
        return values if len(values) > 1 else values[0]

    @property
    def metrics_names(self):
        """List of names of the results of `evaluate`, in order.

        Before the first evaluation, these are the names of the training logs, without `hidden_logs`.
        """
        logged = [] if self.step_means is None else self.step_means.names
        evaluated = self._evaluated or [name for name in logged if name not in self.hidden_logs]
        names = {*evaluated, *(name for m in self.evaluation_metrics for name in checks.result_names(m))}
        # Keras's order: names of metrics, then the rest.
        own = [name for name in [*logged, *(metric.name for metric in self.evaluation_metrics)] if name in names]
        return [*own, *sorted(names - set(own))]

    def final_logs(self, logs):
        """Returns an epoch's logs: the means of the logs of steps, and after an evaluation the metrics.

        Keras reports a metric only if every step returns its result. For a metric of a whole dataset, computing a
        result at each step would be expensive and meaningless. Here they are computed once, at the end.
        """
        logs = {name: mean for name, mean in self.step_means.read().items() if name in logs}
        if self._evaluating is None:
            return logs
        self._evaluated = list(logs)
        finite = all(map(math.isfinite, logs.values()))
        for metric in self.evaluation_metrics:
            try:
                result = metric.result()
            except ValueError:
                # Raising would abort `fit` before callbacks can report and restore. NaN never wins `save_best_only`;
                # a missing key would.
                if self._evaluating == "alone" or finite:
                    raise
                result = dict.fromkeys(checks.result_names(metric), math.nan)
            logs.update(result if isinstance(result, dict) else {metric.name: result})
        return logs

    def reset_metrics(self):
        """Resets the metrics, and the random numbers of evaluation: each evaluation judges the same samples."""
        super().reset_metrics()
        self.evaluation_seed.state.assign([_EVALUATION_SEED, 0])

    # === Summary ===

    def summary(self, *args, print_fn=None, **kwargs):
        """Prints the networks, as `keras.Model.summary` does, and the cost of a pass of one example through each."""
        super().summary(*args, print_fn=print_fn, **kwargs)
        for name in self.players():
            count = sum(map(networks.multiply_adds, self._networks(name)))
            # The layers of a subclassed network are unknown.
            if count:
                (print_fn or print)(f"{name}: {count:,} multiply-adds for one example")

    # === Saving ===

    def save(self, filepath, overwrite=True, **kwargs):
        """Saves the whole model, as `keras.Model.save`: `keras.models.load_model` loads it, and training can resume.

        An existing file is replaced atomically. URLs, such as `hf://user/model`, are passed to Keras.
        """
        if not str(filepath).endswith(".keras") and "://" not in str(filepath):
            instead = str(Path(filepath).with_suffix(".keras"))
            raise ValueError(
                "filepath must end in .keras, the format that holds all of a model. "
                f"Received: {str(filepath)!r}. Write {instead!r}, or save_weights('NAME.weights.h5')."
            )
        self._write(super().save, filepath, overwrite, kwargs, whole=kwargs.get("zipped") is not False)

    def save_weights(self, filepath, overwrite=True, **kwargs):
        """Saves all state that changes in training, optimizers included, as `keras.Model.save_weights` does.

        An existing file is replaced atomically.
        """
        self._write(super().save_weights, filepath, overwrite, kwargs, whole=kwargs.get("max_shard_size") is None)

    def _write(self, write, filepath, overwrite, kwargs, whole):
        # Keras asks before it overwrites; folders, shards and addresses can't be renamed in one step.
        if not (whole and overwrite) or "://" in str(filepath):
            write(filepath, overwrite, **kwargs)
            return
        with replacing(filepath) as path:
            write(path, **kwargs)

    def get_config(self):
        if type(self).get_config is AdversarialModel.get_config:
            raise NotImplementedError(
                f"{type(self).__name__} must have get_config, with the arguments of its constructor: "
                '{**super().get_config(), "generator": keras.saving.serialize_keras_object(self.generator), ...}.'
            )
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))

    def get_compile_config(self):
        if not self.compiled:
            return {}
        return {
            "optimizers": {name: serialize(optimizer) for name, optimizer in self.optimizer.by_player.items()},
            # Learning rates change in training, down to 0; their ratios are constant.
            "first_rates": self.optimizer.rates,
            "metrics": [keras.saving.serialize_keras_object(metric) for metric in self.evaluation_metrics],
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            # As given: the meaning of "auto" depends on the machine.
            "jit_compile": self._jit_option,
        }

    def compile_from_config(self, config):
        options = keras.saving.deserialize_keras_object(config)
        first_rates = options.pop("first_rates")
        if keras.config.backend() == "torch":
            # It changes only speed, and torch does not support it.
            options["steps_per_execution"] = 1
        self.compile(**options)
        self.optimizer.rates = first_rates

    def save_own_variables(self, store):
        super().save_own_variables(store)
        random_state.save(self, store)

    def load_own_variables(self, store):
        super().load_own_variables(random_state.load(self, store))


def _refuse_weights(class_weight, sample_weight):
    for name, weights in (("class_weight", class_weight), ("sample_weight", sample_weight)):
        if weights is not None:
            raise ValueError(
                f"{name} must be None: all examples have the same weight. Received: a {type(weights).__name__}. To "
                "learn more from some data, repeat them."
            )


def _warn_of_unsaved_options(kind):
    options = inspect.signature(kind.compile).parameters.values()
    own = {option.name for option in options if option.kind not in (option.VAR_POSITIONAL, option.VAR_KEYWORD)}
    own -= set(inspect.signature(AdversarialModel.compile).parameters)
    if own and kind.get_compile_config is AdversarialModel.get_compile_config:
        warnings.warn(
            f"{kind.__name__}.compile has options that are not saved: {', '.join(sorted(own))}. A loaded model would "
            "train with their defaults. Add them in get_compile_config: {**super().get_compile_config(), ...}.",
            stacklevel=3,
        )


def _is_of(optimizer, variables):
    return [id(v) for v in keras_private.variables_of(optimizer)] == [id(v) for v in variables]


def _check_not_of_others(name, optimizer, variables):
    moved = keras_private.variables_of(optimizer)
    if moved and not _is_of(optimizer, variables):
        raise ValueError(
            f"The optimizer of {name} must be new, or come from an earlier compile() with the same weights. Received: "
            f"{optimizer!r}, which was built for the weights of another network, such as {moved[0].path}. Create a "
            "new optimizer each time you create networks."
        )
