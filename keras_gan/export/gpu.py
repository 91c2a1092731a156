"""Checks if LiteRT runs a .tflite file entirely and correctly on a GPU: on a driver if there is one, else by rules."""

import dataclasses

import numpy as np

from keras_gan.export import gpu_driver, gpu_rules, runners

# The largest allowed difference from the CPU, in units of half the range of outputs. With int8 weights the CPU rounds
# activations, too, and the GPU does not.
_MAX_ERROR = {None: 1e-3, "float16": 0.02, "dynamic": 0.25}
# Relative rounding error of sums.
_ROUNDING = 5e-6
_EXAMPLES = 4
# Different from the seeds of calibration and of the check on the CPU.
_SEED = 2
# GPU outputs count as constant if their variation between examples is less than this share of the variation on the CPU.
_MIN_VARIATION = 0.5


@dataclasses.dataclass(frozen=True)
class Gpu:
    """Result of checking if LiteRT's `CompiledModel` runs a .tflite file only on a GPU.

    Attributes:
        whole: Bool, whether all operations run on the GPU; else LiteRT refuses the file there.
        driver: String, the Vulkan driver on which the file ran and was compared with the CPU; None if only the rules
            were checked.
        max_error: Float, the largest difference from the CPU, or None if nothing ran.
        stays: Dict from each operation that stays on the CPU to the reason.
        overflows: Dict from layers to their largest possible sums. It has only the layers whose sums exceed 65,504, the
            largest number of a GPU that adds in half precision, as phones' GPUs do. Only `export(accelerator="gpu")`
            checks this.
    """

    whole: bool
    driver: str | None
    max_error: float | None
    stays: dict
    overflows: dict = dataclasses.field(default_factory=dict)

    def rows(self):
        """Returns rows of a table."""
        warnings = [
            ("half precision", "overflows", f"in {layer}: sums may reach {bound:.2g}, float16 ends at 65,504")
            for layer, bound in self.overflows.items()
        ]
        return [self._row(), *warnings]

    def _row(self):
        by = f"checked against the rules of LiteRT {gpu_rules.LITERT}, not run"
        if self.driver is not None:
            by = f"run on {self.driver}, differs from the CPU by {self.max_error:.2g}"
        if self.whole:
            return "gpu", "whole", by
        stays = ", ".join(f"{operation} ({reason})" for operation, reason in self.stays.items())
        return "gpu", "refused", f"{stays} would stay on the CPU; {by}"


def check_rules(filepath):
    """Checks a .tflite file against the rules of LiteRT's delegate, and returns `Gpu`."""
    stays = gpu_rules.check(filepath.read_bytes())
    return Gpu(whole=not stays, driver=None, max_error=None, stays=stays)


def prove(filepath, signatures, quantize, bounds=None):
    """Runs each signature of a .tflite file on the GPU and compares it with the CPU.

    If no driver starts, the file is checked against the rules.

    Args:
        filepath: Path.
        signatures: List of `Signature`.
        quantize: The precision, which sets the tolerance.
        bounds: Pair of floats, the range of outputs. Defaults to None, the range on the CPU.

    Returns:
        `Gpu`, with `whole` True.

    Raises:
        ValueError: If the file is refused, crashes the delegate, differs from the CPU, or gives the same output for
            every example.
    """
    feeds = {s.name: s.feeds(s.draw(max(_EXAMPLES, s.batch), seed=_SEED)) for s in signatures}
    ran = gpu_driver.run(filepath, feeds)
    if ran is None:
        found = check_rules(filepath)
        if not found.whole:
            raise ValueError(_refusal(found.stays, "by its rules"))
        return dataclasses.replace(found, overflows=_overflows(filepath, feeds))
    if ran.refused or ran.failure:
        stays = ran.refused or gpu_rules.check(filepath.read_bytes())
        raise ValueError(_refusal(stays or {"file": ran.failure}, f"on {ran.driver}"))
    cpu = runners.run(filepath)
    largest = 0.0
    for name, examples in feeds.items():
        wanted = np.stack([cpu.run(name, feed) for feed in examples]).astype("float64")
        received = ran.outputs[name].astype("float64")
        low, high = (0, 255) if ran.outputs[name].dtype == np.uint8 else bounds or (wanted.min(), wanted.max())
        difference, rounding = float(np.abs(received - wanted).max()), _ROUNDING * float(np.abs(wanted).max())
        if not difference <= _MAX_ERROR[quantize] * (high - low) / 2 + rounding:
            raise ValueError(
                f"The GPU ({ran.driver}) differs from the CPU by {difference:.2g} in {name!r}, for outputs in "
                f"[{low:.6g}, {high:.6g}]. {gpu_rules.instead(())}."
            )
        if not _variation(received) >= _MIN_VARIATION * _variation(wanted) - rounding:
            raise ValueError(
                f"The GPU ({ran.driver}) gives nearly the same output for each input of {name!r}. "
                f"{gpu_rules.instead(())}."
            )
        largest = max(largest, difference)
    return Gpu(True, ran.driver, largest, stays={}, overflows=_overflows(filepath, feeds))


def _overflows(filepath, feeds):
    # Imported here: otherwise `import keras_gan` would load TensorFlow and require LiteRT.
    from keras_gan.export import gpu_sums

    # Other batch sizes compute the same function.
    name, examples = next(iter(feeds.items()))
    return gpu_sums.overflowing(filepath, name, examples)


def _refusal(stays, where):
    named = "; ".join(f"{operation}: {reason}" for operation, reason in stays.items())
    return f"LiteRT's GPU delegate refuses the file ({where}): {named}. {gpu_rules.instead(stays)}."


def _variation(outputs):
    """Computes for each entry of the output its range over the examples, and returns the largest range."""
    return np.ptp(outputs.reshape(-1, *outputs.shape[2:]), axis=0).max()
