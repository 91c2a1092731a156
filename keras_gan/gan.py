"""The GAN: a `keras.Model` whose training step alternates between its two players."""

import math
import random

import keras
import numpy as np
from keras import ops

from keras_gan import backend, checks, files, health, losses, optimizers, state
from keras_gan.callbacks import complete, in_training, without_writers
from keras_gan.conditions import Condition, Unconditional
from keras_gan.export import export_gan
from keras_gan.layers import SpectralNormalization
from keras_gan.priors import Normal

_EVALUATION_SEED = 1406_2661
_SAMPLE_BATCH = 128


@keras.saving.register_keras_serializable(package="keras_gan")
class GAN(backend.Trainer, keras.Model):
    """A generator and a discriminator that train against each other in `fit`.

    Called on latents `(batch, latent_dim)`, or on `[latents, given]` where something is given, such as labels, it
    returns what the generator makes of them.

    Args:
        generator: `keras.Model` from latents `(batch, latent_dim)` to data, such as images
            `(batch, height, width, channels)` in [-1, 1].
        discriminator: `keras.Model` from data to logits `(batch, 1)`: no sigmoid at its end.
        prior: `keras_gan.priors.Prior`, where latents come from. Defaults to a standard normal of the size that the
            generator takes.
        condition: `keras_gan.conditions.Condition`, such as `Labels(10)`; it says what else both networks take and
            return. Defaults to None, the one that the networks were built with, if any.
        pack: Int > 0, how many examples the discriminator judges together, side by side in the last axis of its
            input, which lets it see a lack of variety (PacGAN). Defaults to `1`.
        ema: Float in [0, 1), the momentum of a moving average of the generator's weights, such as `0.999`: after the
            GAN's step `t`, `average = m * average + (1 - m) * weight` with `m = min(ema, (1 + t) / (10 + t))`, so
            that the first weights are soon forgotten. The average is what samples, evaluations and exports use.
            Defaults to None, no average.
        seed: Int, makes the latents of training reproducible. Defaults to None, another seed for each run.
        **kwargs: `name` and `dtype`, as for any `keras.Model`.

    Raises:
        ValueError: If a network, the prior or the condition does not fit the others, a network of your own fails on the
            highest label, or a number is out of range.

    Attributes:
        ema_generator: `keras.Model`, the generator with averaged weights; None without `ema`.

    Example:

    ```python
    gan = keras_gan.GAN(
        generator=keras_gan.architectures.dcgan_generator((28, 28, 1), latent_dim=64),
        discriminator=keras_gan.architectures.dcgan_discriminator((28, 28, 1)),
    )
    gan.compile()
    gan.fit(keras_gan.datasets.load("digits", batch_size=64), epochs=20)
    ```

    Reference:
        - [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661)
        - [Lin et al., 2018](https://arxiv.org/abs/1712.04086), packing
        - [Yazici et al., 2018](https://arxiv.org/abs/1806.04498), the moving average
    """

    def __init__(self, generator, discriminator, prior=None, condition=None, pack=1, ema=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        condition = checks.common_condition(condition, generator=generator, discriminator=discriminator)
        self.condition = condition or Unconditional()
        checks.check_options(self.condition, pack, ema, seed)
        size = checks.noise_size(generator, prior, self.condition)
        self._noise = prior or Normal(size)
        self.prior = self.condition.complete(self._noise)
        self.data_shape = checks.connect(generator, discriminator, self.condition, self.prior.latent_dim, pack)
        checks.try_given(generator, discriminator, self.condition, self.prior, self.data_shape)
        self.generator = generator
        self.discriminator = discriminator
        self.pack = pack
        self.ema = ema
        self.ema_generator = None
        if ema is not None:
            self.ema_generator = _copy(generator, checks.symbolic_inputs(self.condition, self.prior.latent_dim))
            # Optimizers count anew after each `compile`.
            self._averaged = self.add_weight(
                (), "zeros", "int32", trainable=False, aggregation="only_first_replica", name="averaged"
            )
        self.seed = seed
        self._training_seed = keras.random.SeedGenerator(seed)
        self._evaluation_seed = keras.random.SeedGenerator(_EVALUATION_SEED)
        self._game_means = _means("discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy")
        self._health_means = []
        self.evaluation_metrics = []
        self._evaluating = None
        # What a backup compares, filled when it first needs it: rates move in training.
        self.settings = None
        self.built = True

    @property
    def latent_dim(self):
        """Int, the size of one latent."""
        return self.prior.latent_dim

    # === Training ===

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        loss="non_saturating",
        penalties=(),
        metrics=(),
        augmentation=None,
        discriminator_steps=1,
        simultaneous=False,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
    ):
        """Says how to train.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` or its name. Defaults to `Adam(2e-4, beta_1=0.5)`, the
                DCGAN paper's.
            discriminator_optimizer: Another optimizer, for the discriminator, with the same default.
            loss: Name or object from `keras_gan.losses`; one of your own needs `get_config` for the GAN to be saved.
                Defaults to `"non_saturating"`.
            penalties: List of objects from `keras_gan.penalties`, added to the discriminator's objective. They see
                the discriminator in inference mode.
            metrics: List of `keras.metrics.Metric` whose `update_state` takes `(real, fake)`, such as those of
                `keras_gan.metrics`. `evaluate` and `validation_data` fill them; training does not.
            augmentation: `keras_gan.augmentation.Augmentation`, applied to all that the discriminator sees in
                training, reals and fakes. Defaults to none.
            discriminator_steps: Int > 0, how often the discriminator is updated before the generator is, each time
                on the same real batch and on new fakes. Defaults to `1`.
            simultaneous: Bool, whether both players learn from the same fakes and are updated at once, neither seeing
                the other's move: another game than the alternating one, whose step takes a sixth less time. Defaults
                to False, the discriminator first and then the generator on new fakes.
            run_eagerly: Bool, as in `keras.Model.compile`.
            steps_per_execution: Int, as in `keras.Model.compile`.
            jit_compile: Bool or `"auto"`, as in `keras.Model.compile`.

        Raises:
            ValueError: If the loss is unknown, both players are given one and the same optimizer, a network has no
                trainable weights, two metrics log a result of the same name, or a number is out of range.
            TypeError: If a penalty, a metric or the augmentation is something else.
        """
        loss = losses.get(loss)
        checks.check_training(penalties, metrics, augmentation, discriminator_steps, self.data_shape, self.condition)
        penalties, metrics = list(penalties), list(metrics)
        if simultaneous and discriminator_steps > 1:
            raise ValueError(
                "discriminator_steps must be 1 with simultaneous=True, where each player is updated once a step. "
                f"Received: discriminator_steps={discriminator_steps}. Leave one of them out."
            )
        checks.warn_without_lipschitz_control(loss, penalties, self.discriminator)
        pair = [
            _optimizer("generator_optimizer", generator_optimizer),
            _optimizer("discriminator_optimizer", discriminator_optimizer),
        ]
        if pair[0] is pair[1]:
            raise ValueError(
                "generator_optimizer and discriminator_optimizer must be two objects, since each keeps the moments of "
                f"one network. Received the same object twice: {pair[0]!r}."
            )
        checks.check_trainable(self.generator, self.discriminator)
        # Keras does this for `model.optimizer` alone: without it small gradients are zero in float16.
        layers = [*self.generator._flatten_layers(), *self.discriminator._flatten_layers()]
        if any(layer.compute_dtype == "float16" for layer in layers):
            pair = [o if _scales_loss(o) else keras.optimizers.LossScaleOptimizer(o) for o in pair]
        super().compile(
            optimizer=None, run_eagerly=run_eagerly, steps_per_execution=steps_per_execution, jit_compile=jit_compile
        )
        self.loss = loss
        self.penalties = penalties
        for metric in metrics:
            # Variables can't be made inside a compiled step.
            if hasattr(metric, "build"):
                metric.build(self.data_shape)
        self.evaluation_metrics = metrics
        self._health_means = _means(*health.names(loss, penalties, _scales_loss(pair[0])))
        self.augmentation = augmentation
        self.discriminator_steps = discriminator_steps
        self.simultaneous = simultaneous
        self.generator_optimizer, self.discriminator_optimizer = pair
        # Before any weight is loaded: Keras skips the state of an optimizer that has no variables yet.
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)
        self.optimizer = optimizers.OptimizerPair(*pair)
        self.settings = None
        # Here, where all processes pass that train together.
        state.remember_what_keras_skips()

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, **kwargs):
        """Trains, as `keras.Model.fit` does.

        Args:
            x: Real data: an array, a `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator, of `images` or
                `(images, labels)`. Labels, or other things that are given, are used if there is a condition on them.
            y: Labels, or what else is given, if `x` is an array.
            batch_size: Int, if `x` is an array.
            epochs: Int, how many times to go through the data.
            verbose: 0, 1, 2 or `"auto"`, as in `keras.Model.fit`.
            callbacks: List of `keras.callbacks.Callback`. Where many processes train together, those that write files
                do so in the first process alone; `BackupAndRestore` restores in all of them.
            **kwargs: What else `keras.Model.fit` takes, such as `validation_data`.

        Returns:
            `keras.callbacks.History` of `discriminator_loss`, `generator_loss`, `real_accuracy`, `fake_accuracy` and
            the health of both players, see `keras_gan.health.measure`; with `validation_data` of the same losses and
            accuracies, and of the metrics, with `val_` before their names. Metrics that need finite features are NaN
            where the losses are not finite either.

        Raises:
            ValueError: Before the first step, if the data are empty, not finite, of another shape than the
                generator's output, or outside the range of its last activation, or if there are weights of examples
                or classes.
        """
        if not self.compiled:
            raise ValueError(
                "compile() must be called before fit(). With no argument it gives defaults that train well."
            )
        for name in ("class_weight", "sample_weight"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"{name} must be None: examples count alike, real and generated. To learn more from some data, "
                    "repeat them."
                )
        x, y = self._check_data(x, y, batch_size)
        if kwargs.get("validation_data") is not None:
            x_val, y_val, weight = keras.utils.unpack_x_y_sample_weight(kwargs["validation_data"])
            x_val, y_val = self._check_data(x_val, y_val, kwargs.get("validation_batch_size") or batch_size)
            kwargs["validation_data"] = keras.utils.pack_x_y_sample_weight(x_val, y_val, weight)
        if not hasattr(x, "shape"):
            # Keras warns that it can't shuffle a stream unless it is told not to.
            kwargs.setdefault("shuffle", False)
        if not self.is_chief:
            verbose, callbacks = 0, without_writers(callbacks)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = complete(callbacks, verbose)
        try:
            with in_training(callbacks):
                history = super().fit(x, y, batch_size, epochs, verbose, callbacks, **kwargs)
        finally:
            # Where a backup began: Keras would begin there again at the next call.
            self._initial_epoch = None
        # Keras does this for `model.optimizer` alone; it matters for optimizers with `use_ema=True`.
        self.generator_optimizer.finalize_variable_values(self.generator.trainable_variables)
        self.discriminator_optimizer.finalize_variable_values(self.discriminator.trainable_variables)
        return history

    def _check_data(self, x, y, batch_size):
        activation = checks.output_activation(self.generator)
        expected = checks.Expected(self.data_shape, activation, self.condition, self.pack)
        return checks.check_data(x, y, batch_size, expected)

    def adversarial_step(self, data):
        """One step of training on one batch: the discriminator's updates, then the generator's."""
        real, labels = self._unpack(data)
        discriminator = self.discriminator, self.discriminator_optimizer
        generator = self.generator, self.generator_optimizer
        if self.simultaneous:
            d, g = self._move([discriminator, generator], lambda: self.simultaneous_objectives(real, labels))
        else:
            for _ in range(self.discriminator_steps):
                (d,) = self._move([discriminator], lambda: [self.discriminator_objective(real, labels)])
            (g,) = self._move([generator], lambda: [self.generator_objective(real, labels)])
        if self.ema_generator is not None:
            self._follow()
        if self.augmentation is not None:
            self.augmentation.update(self.without_padding(d["real_logits"]))
        return self._log(real, {**self._game(d, g), **health.measure(self.loss, real, d, g)})

    def _move(self, players, objectives):
        return [
            self._record(optimizer, aux, norm)
            for (_, optimizer), (aux, norm) in zip(players, self.update(players, objectives), strict=True)
        ]

    def _follow(self):
        self._averaged.assign_add(1)
        t = ops.cast(self._averaged, "float32")
        share = 1 - ops.minimum(self.ema, (1 + t) / (10 + t))
        for average, weight in zip(self.ema_generator.weights, self.generator.weights, strict=True):
            average.assign(average + ops.cast(share, average.dtype) * (weight - average))
        for layer in self.ema_generator._flatten_layers():
            # The singular vectors of an average are not the average of singular vectors.
            if isinstance(layer, SpectralNormalization):
                layer.follow()

    def _record(self, optimizer, aux, norm):
        if not _scales_loss(optimizer):
            return {**aux, "gradient_norm": norm}
        # Where the scaled gradient overflows, the optimizer takes no step and lowers the scale.
        norm = ops.where(ops.isfinite(norm), norm, 0.0)
        return {**aux, "gradient_norm": norm, "loss_scale": ops.convert_to_tensor(optimizer.dynamic_scale)}

    def discriminator_objective(self, real, labels=None):
        """What the discriminator minimises.

        Args:
            real: Tensor of data `(batch, ...)`.
            labels: Tensor `(batch,)`, int32, or None without a condition on labels.

        Returns:
            The objective, a scalar tensor; and a dict of the adversarial `loss` alone, `real_logits`, `fake_logits`,
            the `fake` data, before any augmentation, and a dict of the `penalties`.
        """
        fake, given = self._fakes(real, labels)
        return self._oppose(real, ops.stop_gradient(fake), given)[:2]

    def _fakes(self, real, labels):
        latents = self._draw_latents(real, self._training_seed)
        fake = self._generate(self.generator, latents, labels, training=True)
        return fake, self.condition.given(latents, labels)

    def _oppose(self, real, fake, given):
        """The discriminator's objective on given fakes, and what it returned beside the fakes' logits."""
        other_real = self._view(real) if self.condition.compares_views else None
        real_view, fake_view = self._view(real), self._view(fake)
        aux, terms, fake_extra = self._judge(real_view, fake_view, given, training=True, other_real=other_real)
        penalties = {}
        for penalty in self.penalties:
            value = penalty(self._bind(given), real_view, ops.stop_gradient(fake_view), seed=self._training_seed)
            name = health.penalty_name(penalty)
            penalties[name] = penalties.get(name, 0.0) + value
        terms += sum(penalties.values())
        return aux["loss"] + terms, {**aux, "fake": fake, "penalties": penalties}, fake_extra

    def generator_objective(self, real, labels=None):
        """What the generator minimises, through the fixed discriminator. As `discriminator_objective`."""
        fake, given = self._fakes(real, labels)
        fake_logits, extra = self.condition.judge(self.discriminator, self._view(fake), given, training=True)
        real_logits = None
        if getattr(self.loss, "generator_uses_real", True):
            real_logits, _ = self.condition.judge(self.discriminator, self._view(real), given, training=True)
        return self._please(fake_logits, real_logits, extra, given)

    def _please(self, fake_logits, real_logits, extra, given):
        """The generator's objective on what the discriminator returned."""
        loss = self.loss.generator(fake_logits, real_logits)
        return loss + self.condition.generator_term(extra, given) + _added(self.generator), {"loss": loss}

    def simultaneous_objectives(self, real, labels=None):
        """What both minimise, on the same fakes, judged once. A list of `discriminator_objective`'s, generator's."""
        fake, given = self._fakes(real, labels)
        objective, aux, extra = self._oppose(real, fake, given)
        return [(objective, aux), self._please(aux["fake_logits"], aux["real_logits"], extra, given)]

    def evaluation_step(self, data):
        """The losses and accuracies of one batch, in inference mode, with latents of its own; fills the metrics."""
        real, labels = self._unpack(data)
        latents = self._draw_latents(real, self._evaluation_seed)
        fake = self._generate(self._best_generator, latents, labels, training=False)
        given = self.condition.given(latents, labels)
        d, *_ = self._judge(_pack(real, self.pack), _pack(fake, self.pack), given, training=False)
        for metric in self.evaluation_metrics:
            metric.update_state(self.without_padding(real), self.without_padding(fake))
        return self._log(real, self._game(d, {"loss": self.loss.generator(d["fake_logits"], d["real_logits"])}))

    def _judge(self, real, fake, given, training, other_real=None):
        """The adversarial loss with the logits behind it, the condition's terms, and the rest of a fake's judgement."""
        real_logits, real_extra = self.condition.judge(self.discriminator, real, given, training)
        added = _added(self.discriminator)
        fake_logits, fake_extra = self.condition.judge(self.discriminator, fake, given, training)
        # Each call forgets what the call before has added.
        added = (added + _added(self.discriminator)) / 2
        loss = self.loss.discriminator(real_logits, fake_logits)
        terms = self.condition.discriminator_term(real_extra, fake_extra, given) + added
        if other_real is not None:
            _, other_extra = self.condition.judge(self.discriminator, other_real, given, training)
            terms += self.condition.consistency_term(real_extra, other_extra)
        return {"loss": loss, "real_logits": real_logits, "fake_logits": fake_logits}, terms, fake_extra

    def _bind(self, given):
        """The discriminator as penalties see it: a function from data to logits, which changes no state."""
        return lambda data: self.condition.judge(self.discriminator, data, given, training=False)[0]

    def _view(self, data):
        """What the discriminator sees of data in training."""
        if self.augmentation is not None:
            data = self.augmentation(data, seed=self._training_seed)
        return _pack(data, self.pack)

    def _unpack(self, data):
        real, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        labels = None if self.condition.given_name is None else self.condition.prepare(labels)
        # Not the type that networks compute in, to which they cast: fakes would be compared with rounded data.
        return ops.cast(real, self.variable_dtype), labels

    def _generate(self, generator, latents, labels, training):
        fake = generator(self.condition.generator_inputs(latents, labels), training=training)
        return ops.cast(fake, self.variable_dtype)

    def _draw_latents(self, real, seed):
        return backend.local_draw(lambda n: self.prior.sample(n, seed), ops.shape(real)[0])

    def _game(self, d, g):
        """Both losses, and how often the discriminator is right."""
        # The logit at which the discriminator is undecided.
        boundary = getattr(self.loss, "boundary", 0.0)
        return {
            "discriminator_loss": d["loss"],
            "generator_loss": g["loss"],
            "real_accuracy": ops.mean(ops.cast(d["real_logits"] > boundary, "float32")),
            "fake_accuracy": ops.mean(ops.cast(d["fake_logits"] < boundary, "float32")),
        }

    def _log(self, real, values):
        trackers = self._trackers(values)
        n = ops.shape(self.without_padding(real))[0]
        for tracker in trackers:
            tracker.update_state(values[tracker.name], sample_weight=n)
        return {tracker.name: tracker.result() for tracker in trackers}

    def _trackers(self, names):
        return [tracker for tracker in self.step_means if tracker.name in names]

    @property
    def step_means(self):
        """List of `keras.metrics.Mean`, of what each step of training logs."""
        return [*self._game_means, *self._health_means]

    @property
    def metrics(self):
        return [*self.step_means, *self.evaluation_metrics]

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", **kwargs):
        """Judges the generator on data that it has not seen, as `keras.Model.evaluate` does.

        Args:
            x: Real data, as in `fit`.
            y: Labels, or what else is given, if `x` is an array.
            batch_size: Int, if `x` is an array.
            verbose: 0, 1, 2 or `"auto"`, as in `keras.Model.evaluate`.
            **kwargs: What else `keras.Model.evaluate` takes, such as `return_dict`.

        Returns:
            The losses and accuracies, then what the metrics of `compile` found: a list of floats, or a dict with
            `return_dict=True`. Each call draws the same latents.

        Raises:
            ValueError: Before the first step, as `fit`.
        """
        in_fit = "_use_cached_eval_dataset" in kwargs
        if not in_fit:  # `fit` has checked those data.
            x, y = self._check_data(x, y, batch_size)
        self._evaluating = "in fit" if in_fit else "alone"
        try:
            return super().evaluate(x, y, batch_size, verbose, **kwargs)
        finally:
            self._evaluating = None

    def _get_metrics_result_or_logs(self, logs):
        # Keras takes results of metrics only if each step returned them all: for a metric that streams through a set
        # they would cost much at each step, and mean nothing. This asks once, at the end of an evaluation.
        logs = {tracker.name: tracker.result() for tracker in self._trackers(logs)}
        if self._evaluating is None:
            return logs
        finite = all(math.isfinite(float(value)) for value in logs.values())
        for metric in self.evaluation_metrics:
            try:
                result = metric.result()
            except ValueError:
                # An error would keep a broken `fit` from its end, where callbacks say what broke and return to a
                # checkpoint. NaN replaces no best checkpoint, where a missing value would.
                if self._evaluating == "alone" or finite:
                    raise
                result = dict.fromkeys(checks.result_names(metric), math.nan)
            logs.update(result if isinstance(result, dict) else {metric.name: result})
        return logs

    def reset_metrics(self):
        """Starts the metrics anew, and the latents of evaluation with them: each evaluation judges the same samples."""
        super().reset_metrics()
        self._evaluation_seed.state.assign([_EVALUATION_SEED, 0])

    # === Generating ===

    @property
    def _best_generator(self):
        return self.generator if self.ema_generator is None else self.ema_generator

    def call(self, inputs, training=False):
        return (self.generator if training else self._best_generator)(inputs, training=training)

    def sample(self, n, seed=None, labels=None, given=None, truncation=None):
        """Generates, with the averaged weights if there is an `ema`.

        Args:
            n: Int > 0, how many.
            seed: Int, gives the same samples at each call. Defaults to None, others at each call.
            labels: Integers `(n,)`, the class of each sample, if there is a condition on labels. Defaults to None,
                all classes in turn.
            given: Array `(n, ...)`, what each sample is conditioned on, whatever the condition: labels, or the rows of
                a `Vector`, which must be given. Defaults to None.
            truncation: Float > 0, how many standard deviations a normal latent may lie from its mean: less looks
                better and varies less. Defaults to None, no bound.

        Returns:
            NumPy array `(n, ...)` of the generator's output; images lie in [-1, 1].

        Raises:
            ValueError: If `n` is not a positive integer, or `labels` or `given` are out of range, not `n`, missing
                where only you can know them, or passed where the condition takes none.
            TypeError: If `labels` or `given` are of another kind.
        """
        checks.check_positive("n, how many to generate,", n)
        checks.check_seed(seed)
        given = checks.check_sample_given(self.condition, n, labels, given)
        seed = random.getrandbits(31) if seed is None else int(seed)
        # A prior of the user's own need not know of truncation.
        latents = self.prior.sample(int(n), seed, *([] if truncation is None else [truncation]))
        batches = []
        for i in range(0, n, _SAMPLE_BATCH):
            part = slice(i, i + _SAMPLE_BATCH)
            inputs = self.condition.generator_inputs(latents[part], None if given is None else given[part])
            batches.append(ops.convert_to_numpy(self(inputs, training=False)))
        return np.concatenate(batches)

    def export(self, filepath, **options):
        """Writes the generator as a file for another program, checked, with the averaged weights if there is an `ema`.

        Args:
            filepath: Path to write: NAME.tflite for phones, NAME.onnx, or NAME for a SavedModel.
            **options: Those of `keras_gan.export.export`: `quantize="dynamic"` for a quarter of the size,
                `sample=True` for a function of a seed, `batch_sizes`, `output`, `data`, `metrics`, `card`, `format`.
                `metrics` defaults to those of `compile` where there are `data`.

        Returns:
            `keras_gan.export.Report`. It prints as a table.

        Raises:
            ValueError: If the file differs from the generator; see `keras_gan.export.export`. No file is left then.
        """
        return export_gan(self, filepath, **options)

    # === Saving ===

    def save(self, filepath, overwrite=True, **kwargs):
        """Writes all of the GAN, as `keras.Model.save` does: `keras.models.load_model` reads it and goes on.

        A file takes the place of another only once it is whole.
        """
        self._write(super().save, filepath, overwrite, kwargs, whole=kwargs.get("zipped") is not False)

    def save_weights(self, filepath, overwrite=True, **kwargs):
        """Writes all that changes in training, optimizers included, as `keras.Model.save_weights` does.

        A file takes the place of another only once it is whole.
        """
        self._write(super().save_weights, filepath, overwrite, kwargs, whole=kwargs.get("max_shard_size") is None)

    def _write(self, write, filepath, overwrite, kwargs, whole):
        # Keras asks before it overwrites; folders, shards and addresses can't be renamed in one step.
        if not (whole and overwrite) or "://" in str(filepath):
            write(filepath, overwrite, **kwargs)
            return
        with files.replacing(filepath) as path:
            write(path, **kwargs)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "dtype": serialize(self.dtype_policy),
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "prior": serialize(self._noise),
            "condition": serialize(self.condition),
            "pack": self.pack,
            "ema": self.ema,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))

    def get_compile_config(self):
        if not self.compiled:
            return {}
        serialize = keras.saving.serialize_keras_object
        return {
            "generator_optimizer": optimizers.serialize(self.generator_optimizer),
            "discriminator_optimizer": optimizers.serialize(self.discriminator_optimizer),
            "loss": serialize(self.loss),
            "penalties": [serialize(penalty) for penalty in self.penalties],
            "metrics": [serialize(metric) for metric in self.evaluation_metrics],
            "augmentation": serialize(self.augmentation),
            "discriminator_steps": self.discriminator_steps,
            "simultaneous": self.simultaneous,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile,
        }

    def compile_from_config(self, config):
        options = keras.saving.deserialize_keras_object(config)
        if keras.config.backend() == "torch":
            # A matter of speed that torch does not know of.
            options["steps_per_execution"] = 1
        self.compile(**options)

    def save_own_variables(self, store):
        super().save_own_variables(store)
        state.save(self, store)

    def load_own_variables(self, store):
        super().load_own_variables(state.load(self, store))


def _added(network):
    """What a network's layers added to the objective when it was last called, such as regularisers."""
    return sum(ops.cast(loss, "float32") for loss in network.losses)


def _means(*names):
    return [keras.metrics.Mean(name=name) for name in names]


def _optimizer(name, identifier):
    if identifier is None:
        return keras.optimizers.Adam(2e-4, beta_1=0.5)
    try:
        return keras.optimizers.get(identifier)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be a keras.optimizers.Optimizer or a name such as 'adam'. Received: {identifier!r}."
        ) from error


def _scales_loss(optimizer):
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def _copy(generator, inputs):
    """A generator of its own with the same weights, which no optimizer moves."""
    copy = keras.models.clone_model(generator)
    copy.name = f"ema_{generator.name}"
    if isinstance(getattr(generator, "condition", None), Condition):
        copy.condition = generator.condition
    copy(inputs)
    copy.set_weights(generator.get_weights())
    copy.trainable = False
    return copy


def _pack(data, m):
    """Lays `m` examples side by side in the last axis, `(batch, ..., c)` to `(batch // m, ..., m * c)`."""
    if m == 1:
        return data
    n = ops.shape(data)[0]
    shape = tuple(data.shape[1:])
    # Examples repeat where a last batch is smaller than a pack; a remainder is dropped otherwise.
    groups = max(n // m, 1) if isinstance(n, int) else ops.maximum(n // m, 1)
    data = ops.take(data, ops.arange(groups * m) % n, axis=0)
    data = ops.moveaxis(ops.reshape(data, (-1, m, *shape)), 1, -2)
    return ops.reshape(data, (-1, *shape[:-1], m * shape[-1]))
