"""The progress bar of `fit`."""

import shutil
import sys
import time

import keras

_BAR = 12


class Progress(keras.callbacks.ProgbarLogger):
    """Keras's progress bar, on one line of the terminal. It also shows the time left for the whole run, and omits the
    model's `hidden_logs`.

    During an epoch it shows as many means as fit into the line: a line that wraps can't be overwritten. At the end of
    an epoch it shows all means but the hidden ones. If standard output is a file, only these lines are printed. `fit`
    adds this callback, unless it gets another progress bar.

    Args:
        summary: Dict from names of logs to display names. At the end of an epoch, only these logs are shown, in one
            line. Defaults to None, all logs.

    Example:

    ```python
    gan = keras_gan.GAN(
        keras_gan.architectures.mlp_generator((2,), latent_dim=4, units=(64,)),
        keras_gan.architectures.mlp_discriminator((2,), units=(64,)),
    )
    gan.compile()
    points = np.random.default_rng(0).normal(size=(1024, 2))
    progress = keras_gan.callbacks.Progress({"generator_loss": "generator", "discriminator_loss": "discriminator"})
    gan.fit(points, batch_size=64, epochs=20, callbacks=[progress])
    ```
    """

    def __init__(self, summary=None):
        super().__init__()
        self.summary = summary

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        # Times and steps at the start of the previous epoch and of the current epoch, from which the pace is computed.
        self._marks = []
        self._printed = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self.seen = epoch, 0
        if self.summary is None:
            super().on_epoch_begin(epoch, logs)
        # The first epoch is timed from the end of its first step, which compiles.
        if self._marks:
            self._mark(time.time(), epoch * (self.target or 0))

    def on_train_batch_end(self, batch, logs=None):
        now = time.time()
        self.seen = batch + 1
        if not self._marks:
            self._mark(now, self._epoch * (self.target or 0) + self.seen)
        if self.verbose == 1 and _is_terminal() and now - self._printed > 0.1:
            self._printed = now
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{self._line(now, self._brief(logs), width).ljust(width)}", end="", flush=True)

    def on_epoch_end(self, epoch, logs=None):
        if self.verbose == 1 and _is_terminal():
            print(f"\r{' ' * (shutil.get_terminal_size().columns - 1)}\r", end="", flush=True)
        if self.summary is None:
            super().on_epoch_end(epoch, self._brief(logs))
        elif self.verbose:
            found = [f"{word} {logs[name]:.3g}" for name, word in self.summary.items() if name in (logs or {})]
            # Includes the time at the end of the epoch.
            left = self._left(time.time())
            print("  ".join([f"epoch {epoch + 1}/{self.epochs}", *found, *left]), flush=True)

    def _mark(self, now, step):
        self._marks = [*self._marks[-1:], (now, step)]

    def _line(self, now, logs, width):
        """Returns a line of at most `width` characters."""
        line = "" if self.summary is None else f"epoch {self._epoch + 1}/{self.epochs}  "
        line += f"{self.seen}/{self.target or '?'}"
        if self.target:
            full = round(_BAR * self.seen / self.target)
            line += " ".join([f" {'━' * full}{'─' * (_BAR - full)}", *self._left(now)])
        for name, value in logs.items():
            value = float(value)
            part = f"  {name} {value:.3f}" if abs(value) >= 1e-3 or value == 0 else f"  {name} {value:.1e}"
            if len(line) + len(part) > width:
                break
            line += part
        return line[:width]

    def _left(self, now):
        """Returns the time left of the whole run, a list of one string, empty if it is unknown."""
        if not self.target:
            return []
        (then, step), done = self._marks[0], self._epoch * self.target + self.seen
        seconds = (now - then) / max(done - step, 1) * (self.epochs * self.target - done)
        return [f"{_clock(seconds)} left"] if done > step else []

    def _brief(self, logs):
        """Returns the logs that are not hidden, in the model's order: Keras sorts by name."""
        logs, hidden = logs or {}, self.model.hidden_logs
        names = dict.fromkeys([*self.model.step_means.names, *logs])
        return {name: logs[name] for name in names if name in logs and name not in hidden}


def _is_terminal():
    shown = sys.stdout.isatty() or "ipykernel" in sys.modules
    return shown and keras.config.is_interactive_logging_enabled()


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
