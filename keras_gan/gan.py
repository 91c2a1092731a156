"""The GAN: a `keras.Model` whose training step alternates between its two players."""

import random

import keras
import numpy as np
from keras import ops

from keras_gan import backend, checks, losses, state
from keras_gan.callbacks import with_progress
from keras_gan.optimizers import OptimizerPair
from keras_gan.priors import Normal

_EVALUATION_SEED = 1406_2661
_SAMPLE_BATCH = 128


@keras.saving.register_keras_serializable(package="keras_gan")
class GAN(backend.Trainer, keras.Model):
    """A generator and a discriminator that train against each other in `fit`.

    Called on latents `(batch, latent_dim)`, it returns what the generator makes of them.

    Args:
        generator: `keras.Model` from latents `(batch, latent_dim)` to data, such as images
            `(batch, height, width, channels)` in [-1, 1].
        discriminator: `keras.Model` from data to logits `(batch, 1)`: no sigmoid at its end.
        prior: `keras_gan.priors.Prior`, where latents come from. Defaults to a standard normal of the size that the
            generator takes.
        seed: Int, makes the latents of training reproducible. Defaults to None, another seed for each run.
        **kwargs: `name` and `dtype`, as for any `keras.Model`.

    Raises:
        ValueError: If a network or the prior does not fit the others.

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
        [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661)
    """

    def __init__(self, generator, discriminator, prior=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        latent_dim = checks.latent_size(generator, prior)
        self.prior = prior or Normal(latent_dim)
        self.data_shape = checks.connect(generator, discriminator, latent_dim)
        self.generator = generator
        self.discriminator = discriminator
        self.seed = seed
        self._training_seed = keras.random.SeedGenerator(seed)
        self._evaluation_seed = keras.random.SeedGenerator(_EVALUATION_SEED)
        self._trackers = [
            keras.metrics.Mean(name=name)
            for name in ("discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy")
        ]
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
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
    ):
        """Says how to train.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` or its name. Defaults to `Adam(2e-4, beta_1=0.5)`, the
                DCGAN paper's.
            discriminator_optimizer: Another optimizer, for the discriminator, with the same default.
            loss: Name or object from `keras_gan.losses`. Defaults to `"non_saturating"`.
            run_eagerly: Bool, as in `keras.Model.compile`.
            steps_per_execution: Int, as in `keras.Model.compile`.
            jit_compile: Bool or `"auto"`, as in `keras.Model.compile`.

        Raises:
            ValueError: If the loss is unknown or both players are given one and the same optimizer.
        """
        loss = losses.get(loss)
        optimizers = [_optimizer(generator_optimizer), _optimizer(discriminator_optimizer)]
        if optimizers[0] is optimizers[1]:
            raise ValueError(
                "generator_optimizer and discriminator_optimizer must be two objects, since each keeps the moments of "
                f"one network. Received the same object twice: {optimizers[0]!r}."
            )
        super().compile(
            optimizer=None, run_eagerly=run_eagerly, steps_per_execution=steps_per_execution, jit_compile=jit_compile
        )
        self.loss = loss
        self.generator_optimizer, self.discriminator_optimizer = optimizers
        # Before any weight is loaded: Keras skips the state of an optimizer that has no variables yet.
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)
        self.optimizer = OptimizerPair(*optimizers)

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, **kwargs):
        """Trains, as `keras.Model.fit` does.

        Args:
            x: Real data: an array, a `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator, of `images` or
                `(images, labels)`. Labels are not used.
            y: Labels, if `x` is an array.
            batch_size: Int, if `x` is an array.
            epochs: Int, how many times to go through the data.
            verbose: 0, 1, 2 or `"auto"`, as in `keras.Model.fit`.
            callbacks: List of `keras.callbacks.Callback`.
            **kwargs: What else `keras.Model.fit` takes, such as `validation_data`.

        Returns:
            `keras.callbacks.History` of `discriminator_loss`, `generator_loss`, `real_accuracy` and `fake_accuracy`.

        Raises:
            ValueError: Before the first step, if the data are empty, not finite, of another shape than the
                generator's output, or outside the range of its last activation.
        """
        if not self.compiled:
            raise ValueError(
                "compile() must be called before fit(). With no argument it gives defaults that train well."
            )
        x = checks.check_data(x, self.data_shape, checks.output_range(self.generator))
        if not hasattr(x, "shape"):
            # Keras warns that it can't shuffle a stream unless it is told not to.
            kwargs.setdefault("shuffle", False)
        if verbose and not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = with_progress(callbacks)
        history = super().fit(x, y, batch_size, epochs, verbose, callbacks, **kwargs)
        # Keras does this for `model.optimizer` alone; it matters for optimizers with `use_ema=True`.
        self.generator_optimizer.finalize_variable_values(self.generator.trainable_variables)
        self.discriminator_optimizer.finalize_variable_values(self.discriminator.trainable_variables)
        return history

    def adversarial_step(self, data):
        """One step of training on one batch: the discriminator's update, then the generator's."""
        real = self._real(data)
        d = self.update(self.discriminator, self.discriminator_optimizer, lambda: self.discriminator_objective(real))
        g = self.update(self.generator, self.generator_optimizer, lambda: self.generator_objective(real))
        return self._log(real, d, g)

    def discriminator_objective(self, real):
        """What the discriminator minimises.

        Args:
            real: Tensor of data `(batch, ...)`.

        Returns:
            The objective, a scalar tensor; and a dict of the adversarial `loss` alone, `real_logits` and
            `fake_logits`.
        """
        fake = ops.stop_gradient(self.generator(self._draw_latents(real, self._training_seed), training=True))
        aux = self._judge(real, fake, training=True)
        return aux["loss"] + sum(self.discriminator.losses), aux

    def generator_objective(self, real):
        """What the generator minimises, through the fixed discriminator. Returns like `discriminator_objective`."""
        fake = self.generator(self._draw_latents(real, self._training_seed), training=True)
        uses_real = getattr(self.loss, "generator_uses_real", True)
        real_logits = self.discriminator(real, training=True) if uses_real else None
        loss = self.loss.generator(self.discriminator(fake, training=True), real_logits)
        return loss + sum(self.generator.losses), {"loss": loss}

    def evaluation_step(self, data):
        """The losses and accuracies of one batch, in inference mode, with latents of its own."""
        real = self._real(data)
        fake = self(self._draw_latents(real, self._evaluation_seed))
        d = self._judge(real, fake, training=False)
        return self._log(real, d, {"loss": self.loss.generator(d["fake_logits"], d["real_logits"])})

    def _judge(self, real, fake, training):
        real_logits = self.discriminator(real, training=training)
        fake_logits = self.discriminator(fake, training=training)
        loss = self.loss.discriminator(real_logits, fake_logits)
        return {"loss": loss, "real_logits": real_logits, "fake_logits": fake_logits}

    def _real(self, data):
        return ops.cast(keras.utils.unpack_x_y_sample_weight(data)[0], self.compute_dtype)

    def _draw_latents(self, real, seed):
        return backend.local_draw(lambda n: self.prior.sample(n, seed), ops.shape(real)[0])

    def _log(self, real, d, g):
        values = {
            "discriminator_loss": d["loss"],
            "generator_loss": g["loss"],
            "real_accuracy": ops.mean(ops.cast(d["real_logits"] > 0, "float32")),
            "fake_accuracy": ops.mean(ops.cast(d["fake_logits"] < 0, "float32")),
        }
        for tracker in self._trackers:
            tracker.update_state(values[tracker.name], sample_weight=ops.shape(real)[0])
        return {tracker.name: tracker.result() for tracker in self._trackers}

    @property
    def metrics(self):
        return self._trackers

    def reset_metrics(self):
        """Starts the metrics anew, and the latents of evaluation with them: each evaluation judges the same samples."""
        super().reset_metrics()
        self._evaluation_seed.state.assign([_EVALUATION_SEED, 0])

    # === Generating ===

    def call(self, inputs, training=False):
        return self.generator(inputs, training=training)

    def sample(self, n, seed=None):
        """Generates.

        Args:
            n: Int > 0, how many.
            seed: Int, gives the same samples at each call. Defaults to None, others at each call.

        Returns:
            NumPy array `(n, ...)` of the generator's output; images lie in [-1, 1].

        Raises:
            ValueError: If `n` is not a positive integer.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"n, how many to generate, must be a positive integer. Received: {n!r}.")
        latents = self.prior.sample(int(n), random.getrandbits(31) if seed is None else seed)
        batches = [self(latents[i : i + _SAMPLE_BATCH], training=False) for i in range(0, n, _SAMPLE_BATCH)]
        return np.concatenate([ops.convert_to_numpy(batch) for batch in batches])

    def export(self, filepath, format=None):
        """Writes the generator as a file for another program, checked. See `keras_gan.export.export`."""
        from keras_gan.export import export

        return export(self.generator, filepath, format=format, prior=self.prior)

    # === Saving ===

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "dtype": serialize(self.dtype_policy),
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "prior": serialize(self.prior),
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
            "generator_optimizer": serialize(self.generator_optimizer),
            "discriminator_optimizer": serialize(self.discriminator_optimizer),
            "loss": serialize(self.loss),
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile,
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def save_own_variables(self, store):
        super().save_own_variables(store)
        state.save(self, store)

    def load_own_variables(self, store):
        super().load_own_variables(state.load(self, store))


def _optimizer(identifier):
    return keras.optimizers.Adam(2e-4, beta_1=0.5) if identifier is None else keras.optimizers.get(identifier)
