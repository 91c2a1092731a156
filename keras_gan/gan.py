"""The GAN: a generator from latents to data, against one discriminator."""

import random

import keras
from keras import ops

from keras_gan import backend, checks, defaults, health, images, networks
from keras_gan.checks.values import is_auto
from keras_gan.conditions import Unconditional
from keras_gan.duel import Duel
from keras_gan.export.export import export_gan
from keras_gan.optimizers import adversarial_optimizer, count_steps
from keras_gan.priors import Normal

_SAMPLE_BATCH = 128


@keras.saving.register_keras_serializable(package="keras_gan")
class GAN(Duel):
    """A generator and a discriminator that train against each other in `fit`.

    Called on latents `(batch, latent_dim)`, it returns the generator's output. With a condition that adds an input,
    such as labels, call the GAN on `[latents, given]`.

    Args:
        generator: `keras.Model` from latents `(batch, latent_dim)` to data, such as images
            `(batch, height, width, channels)` in [-1, 1].
        discriminator: `keras.Model` from data to logits `(batch, 1)`, or to a map of them
            `(batch, ..., 1)`, one for each patch: no sigmoid at its end.
        prior: `keras_gan.priors.Prior`, the distribution of latents. Defaults to a standard normal of the size that the
            generator takes.
        condition: `keras_gan.conditions.Condition`, such as `Labels(10)`; it sets the further inputs and outputs of
            both networks. Defaults to None: the condition that the networks were built with, or no condition.
        pack: Int > 0, how many examples the discriminator judges together, concatenated along the last axis of its
            input, so that it can detect a lack of variety (PacGAN). Defaults to `1`.
        ema: Float in [0, 1), the momentum of a moving average of the generator's weights, such as `0.999`: after the
            GAN's step `t`, `average = m * average + (1 - m) * weight` with `m = min(ema, (1 + t) / (10 + t))`, so
            that the first weights are soon forgotten. Samples, evaluations and exports use the average. None for
                no average. Defaults to `"auto"`: `0.998`, or None for a generator that Keras can't copy.
        seed: Int, makes the random numbers of training reproducible, such as latents. Defaults to None, another seed
            for each run.
        **kwargs: `name` and `dtype`, as for any `keras.Model`.

    Raises:
        ValueError: If a network, the prior or the condition does not fit the others, if a custom network fails when it
            gets the highest label, or if a number is out of range.

    Attributes:
        ema: Float or None, the momentum in use, with `"auto"` resolved.
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

    def __init__(self, generator, discriminator, prior=None, condition=None, pack=1, ema="auto", seed=None, **kwargs):
        condition = networks.common_condition(condition, generator=generator, discriminator=discriminator)
        condition = condition or Unconditional()
        checks.check_pack(pack, condition)
        size = networks.noise_size(generator, prior, condition)
        noise_prior = prior or Normal(size)
        prior = condition.complete(noise_prior)
        shape = networks.connect(generator, discriminator, condition, prior.latent_dim, pack)
        networks.try_given(generator, discriminator, condition, prior, shape)
        inputs = networks.symbolic_inputs(condition, prior.latent_dim)
        super().__init__(generator, discriminator, inputs, ema, seed, **kwargs)
        self.condition = condition
        self.noise_prior = noise_prior
        self.prior = prior
        self.pack = int(pack)
        self.data_shape = shape

    @property
    def latent_dim(self):
        """Int, the size of one latent."""
        return self.prior.latent_dim

    # === Training ===

    def compile(
        self,
        generator_optimizer="auto",
        discriminator_optimizer="auto",
        loss="non_saturating",
        penalties="auto",
        generator_penalties=(),
        metrics=(),
        augmentation="auto",
        discriminator_steps=1,
        simultaneous=False,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
    ):
        """Configures training.

        Arguments left at `"auto"` get values that trained reliably in trials on images. The chosen values are in
        attributes of the same names, and are saved with the GAN.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` or its name. Defaults to `"auto"`, the same as
                None: `Adam(1e-3, beta_1=0.0)` for images `(height, width, channels)`, and `Adam(2e-4, beta_1=0.5)`, as
                in the DCGAN paper, for other data.
            discriminator_optimizer: Another optimizer, for the discriminator, with the same default.
            loss: Name or object from `keras_gan.losses`; a custom one needs `get_config` for the GAN to be saved.
                Defaults to `"non_saturating"`.
            penalties: List of objects from `keras_gan.penalties`, added to the discriminator's objective. They see the
                discriminator in inference mode. `()` for none. Defaults to `"auto"`: `[R1(0.1)]`, or
                `[GradientPenalty()]` with a loss that needs a Lipschitz discriminator, such as `"wasserstein"`; none
                for a discriminator with spectral normalization or constraints, which make it Lipschitz, or with a layer
                that the backend can't differentiate twice.
            generator_penalties: List of objects from `keras_gan.penalties`, such as `ModeSeeking()`, added to the
                generator's objective.
            metrics: List of `keras.metrics.Metric` whose `update_state` takes `(real, fake)`, such as those of
                `keras_gan.metrics`. `evaluate` and `validation_data` update them; training does not.
            augmentation: `keras_gan.augmentation.Augmentation`, applied to all reals and fakes that the discriminator
                sees in training. None turns it off. Defaults to `"auto"`: `DiffAugment()` for images of 3 or 4
                channels, at least 32 pixels high and wide; none for other data.
            discriminator_steps: Int > 0, number of discriminator updates for each generator update, all on the same
                real batch, each on new fakes. Defaults to `1`.
            simultaneous: Bool, whether both players learn from the same fakes and are updated simultaneously, each
                against the other's weights from before the step. A step then takes a sixth less time, but the training
                dynamics differ from those of alternating updates. Defaults to False, the discriminator first and then
                the generator on new fakes.
            run_eagerly: Bool, as in `keras.Model.compile`.
            steps_per_execution: Int, as in `keras.Model.compile`.
            jit_compile: Bool or `"auto"`, as in `keras.Model.compile`.

        Raises:
            ValueError: If the loss is unknown, both players share one optimizer object, a network has no
                trainable weights, two metrics log a result of the same name, or a number is out of range.
            TypeError: If a penalty, a metric or the augmentation is of the wrong type.
        """
        checks.check_integer("discriminator_steps", discriminator_steps)
        if simultaneous and discriminator_steps > 1:
            raise ValueError(
                "discriminator_steps must be 1 with simultaneous=True, where each player is updated once a step. "
                f"Received: discriminator_steps={discriminator_steps}. Leave one of them out."
            )
        adam = defaults.adam(self.data_shape)
        generator_optimizer = adversarial_optimizer("generator_optimizer", generator_optimizer, **adam)
        discriminator_optimizer = adversarial_optimizer("discriminator_optimizer", discriminator_optimizer, **adam)
        if is_auto(penalties):
            penalties = defaults.penalties(loss, self.discriminator, self._penalize_noise)
        if is_auto(augmentation):
            augmentation = defaults.augmentation(self.data_shape)
        checks.check_views(augmentation, self.condition)
        count_steps(discriminator_optimizer, discriminator_steps)
        self.discriminator_steps = discriminator_steps
        self.compile_game(
            generator_optimizer,
            discriminator_optimizer,
            loss,
            penalties,
            generator_penalties,
            augmentation,
            simultaneous,
            metrics=metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )

    def check_data(self, x, y):
        expected = checks.Expected(self.data_shape, networks.output_activation(self.generator), self.condition)
        return checks.check_real(x, y, expected)

    def check_given(self, given, n):
        self.condition.check_given(given, n, "examples")

    @property
    def smallest_batch(self):
        return self.pack

    def adversarial_step(self, data):
        real, given = self._unpack(data)
        if self.simultaneous:
            d, g = self.update(["discriminator", "generator"], lambda: self.simultaneous_objectives(real, given))
        else:
            for _ in range(self.discriminator_steps):
                (d,) = self.update(["discriminator"], lambda: [self.discriminator_objective(real, given)])
            (g,) = self.update(["generator"], lambda: [self.generator_objective(real, given)])
        self.update_averages()
        # Repeats each logit, so that there is one for each image even if several are judged together.
        self.game.learn(ops.repeat(self.without_padding(d["real_logits"]), self.pack, axis=0))
        return {**self.game.results(d, g), **health.measure(self.loss, real, d, g)}

    def discriminator_objective(self, real, given=None, fakes=None):
        """Computes the discriminator's objective.

        Args:
            real: Tensor of data `(batch, ...)`.
            given: Tensor of the condition's input, such as labels `(batch,)`, or None without one.
            fakes: Pair of latents and the generator's outputs. Defaults to None, new ones.

        Returns:
            The objective, a scalar tensor; and the report of `Game.discriminator_objective`, a dict.
        """
        latents, fake = fakes or self._generate_fakes(real, given)
        if fakes is None:
            fake = ops.stop_gradient(fake)
        told = self.condition.given(latents, given)
        judge = self._judge(told)
        # Leaves out examples that fill no pack: they have no gradient and count in no mean.
        penalized = [_whole_packs(data, self.pack) for data in (real, fake)]
        objective, report = self.game.discriminator_objective(self.discriminator, judge, real, fake, penalized)
        objective += self.condition.discriminator_term(report["real_heads"], report["fake_heads"], told)
        if self.condition.compares_views:
            objective += self.condition.consistency_term(report["real_heads"], judge(real, training=True)[1])
        return objective, report

    def generator_objective(self, real, given=None, fakes=None, judged=None):
        """Computes the generator's objective, through the fixed discriminator.

        Args:
            real: Tensor of data `(batch, ...)`.
            given: Tensor of the condition's input, such as labels `(batch,)`, or None without one.
            fakes: Pair of latents and the generator's outputs. Defaults to None, new ones.
            judged: Report of the discriminator's objective on the same fakes. Defaults to None, they are judged here.

        Returns:
            The objective, a scalar tensor; and the report of `Game.generator_objective`, a dict.
        """
        latents, fake = fakes or self._generate_fakes(real, given)
        told = self.condition.given(latents, given)

        def generate(latents, given):
            return self._generate(self.generator, latents, given, training=True)

        objective, report = self.game.generator_objective(
            self.generator, self._judge(told), real, fake, (generate, latents, given), judged
        )
        return objective + self.condition.generator_term(report["fake_heads"], told), report

    def simultaneous_objectives(self, real, given=None):
        """Computes both objectives on the same fakes, which the discriminator judges only once.

        Returns a list, first for the discriminator, then for the generator. Each is a pair as in
        `discriminator_objective`.
        """
        fakes = self._generate_fakes(real, given)
        objective, report = self.discriminator_objective(real, given, fakes)
        return [(objective, report), self.generator_objective(real, given, fakes, report)]

    def _judge(self, told):
        """Returns the discriminator as a function of data, `training` and `augmented`, which is True by default: data
        are augmented also with `training=False`, as for penalties."""

        def judge(data, training, augmented=True):
            data = _pack(self.game.augment(data) if augmented else data, self.pack)
            return self.condition.judge(self.discriminator, data, told, training)

        return judge

    def _penalize_noise(self, penalty):
        """Computes a penalty of the discriminator on an example of noise, a scalar tensor."""
        given = self.condition.extreme_given()
        given = None if given is None else ops.convert_to_tensor(given)
        judge = self._judge(self.condition.given(self.prior.sample(1, 0), given))
        noise = ops.convert_to_tensor(networks.noise(self.data_shape))
        return penalty(lambda data: judge(data, training=False, augmented=False)[0], noise, noise, seed=0)

    def _generate_fakes(self, real, given=None):
        """Generates one fake per real example, in training mode, from new latents.

        Args:
            real: Tensor of data `(batch, ...)`.
            given: Tensor of the condition's input, such as labels `(batch,)`, or None without one.

        Returns:
            The latents `(batch, latent_dim)`, and the fakes, a tensor like `real`.
        """
        latents = self._draw_latents(real, self.training_seed)
        return latents, self._generate(self.generator, latents, given, training=True)

    def evaluation_step(self, data):
        real, given = self._unpack(data)
        latents = self._draw_latents(real, self.evaluation_seed)
        fake = self._generate(self, latents, given, training=False)
        self.update_metrics(real, fake)
        judge = self._judge(self.condition.given(latents, given))
        return self.game.evaluate(*(judge(data, training=False, augmented=False)[0] for data in (real, fake)))

    def _unpack(self, data):
        real, given, _ = keras.utils.unpack_x_y_sample_weight(data)
        real = backend.with_shape(real, self.data_shape)
        if self.condition.given_shape:
            given = backend.with_shape(given, self.condition.given_shape)
        given = None if self.condition.given_name is None else self.condition.prepare(given)
        # `variable_dtype`, not `compute_dtype`: metrics and losses need unrounded reals.
        return ops.cast(real, self.variable_dtype), given

    def _generate(self, generator, latents, given, training):
        fake = generator(self.condition.generator_inputs(latents, given), training=training)
        return ops.cast(fake, self.variable_dtype)

    def _draw_latents(self, real, seed):
        return backend.local_draw(lambda n: self.prior.sample(n, seed), ops.shape(real)[0])

    # === Watching ===

    def preview(self, n, seed=0, given=None):
        if len(self.data_shape) != 3:
            raise ValueError(f"preview needs images (height, width, channels). Received: data of {self.data_shape}.")
        return images.signed(self.sample(n, seed=seed, given=given), self.generator)

    def alarms(self):
        return [health.discriminator_won(self.loss), health.generator_collapsed(), health.generator_memorizes()]

    # === Generating ===

    def sample(self, n, seed=None, labels=None, given=None, truncation=None):
        """Generates samples, with the averaged weights if there is an `ema`.

        Args:
            n: Int > 0, how many.
            seed: Int, gives the same samples at each call. Defaults to None, different samples at each call.
            labels: Integers `(n,)`, the class of each sample, if there is a condition on labels. Defaults to None,
                all classes cyclically.
            given: Array `(n, ...)`, the condition of each sample: labels, or rows of numbers. Required with the
                condition `Vector`. Defaults to None.
            truncation: Float > 0, how many standard deviations a normal latent may lie from its mean: smaller values
                give samples that look better and vary less. Defaults to None, no bound.

        Returns:
            NumPy array `(n, ...)` of the generator's output; images of this library's generators lie in [-1, 1].

        Raises:
            ValueError: If `n` is not a positive integer; or if `labels` or `given` are out of range, are not `n` in
                number, are missing although the condition has no default for them, or are passed although the condition
                takes none.
            TypeError: If `labels` or `given` are of the wrong type.

        Example:

        ```python
        gan.sample(16, seed=0).shape  # (16, 28, 28, 1)
        gan.sample(16, truncation=1.5).shape  # (16, 28, 28, 1)
        ```
        """
        checks.check_integer("n, how many to generate,", n)
        checks.check_seed(seed)
        given = checks.check_sample_given(self.condition, n, labels, given)
        seed = random.getrandbits(31) if seed is None else int(seed)
        # A custom prior need not support truncation.
        latents = self.prior.sample(int(n), seed, *([] if truncation is None else [truncation]))
        inputs = self.condition.generator_inputs(latents, given)
        return self.infer(self.best_generator, inputs, _SAMPLE_BATCH)

    def export(self, filepath, **options):
        """Exports the generator to a file for another program, and checks the file.

        The file has the averaged weights if there is an `ema`.

        Args:
            filepath: Path to write: NAME.tflite for phones, NAME.onnx, or NAME for a SavedModel.
            **options: Those of `keras_gan.export.export`: `quantize="dynamic"` for a quarter of the size,
                `accelerator="gpu"` for a phone's GPU, `sample=True` for a function of a seed, `batch_sizes`, `output`,
                `data`, `metrics`, `card`, `format`. If `data` are given, `metrics` defaults to those of `compile`.

        Returns:
            `keras_gan.export.Report`. It prints as a table.

        Raises:
            ValueError: If the file differs from the generator; see `keras_gan.export.export`. No file is left then.
        """
        return export_gan(self, filepath, **options)

    # === Saving ===

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "prior": serialize(self.noise_prior),
            "condition": serialize(self.condition),
            "pack": self.pack,
        }

    def get_compile_config(self):
        config = super().get_compile_config()
        return {**config, "discriminator_steps": self.discriminator_steps} if config else config


def _whole_packs(data, m):
    """Drops the remainder of a batch that fills no pack."""
    return data if m == 1 else data[: _count_packs(data, m) * m]


def _count_packs(data, m):
    n = ops.shape(data)[0]
    # Examples are repeated if evaluation, or a replica, has fewer than a pack.
    return max(n // m, 1) if isinstance(n, int) else ops.maximum(n // m, 1)


def _pack(data, m):
    """Concatenates `m` examples along the last axis, `(batch, ..., c)` to `(batch // m, ..., m * c)`."""
    if m == 1:
        return data
    shape = tuple(data.shape[1:])
    data = ops.take(data, ops.arange(_count_packs(data, m) * m) % ops.shape(data)[0], axis=0)
    data = ops.moveaxis(ops.reshape(data, (-1, m, *shape)), 1, -2)
    return ops.reshape(data, (-1, *shape[:-1], m * shape[-1]))
