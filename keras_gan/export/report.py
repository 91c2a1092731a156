"""Report and model card of an export."""

import dataclasses
import json
from pathlib import Path

from keras_gan.checks.values import check_path
from keras_gan.export import tables
from keras_gan.export.gpu import Gpu
from keras_gan.export.latency import latency_row, not_delegated_row
from keras_gan.export.verify import describe_range

_NOT_STATED = "not stated"
# Facts that a card lists even if they are not given.
_EXPECTED = ("data", "training", "license")


@dataclasses.dataclass(frozen=True)
class Report:
    """Report of an export: the file, its errors against the Keras generator, and its speed.

    Attributes:
        filepath: Path of the file, or of the SavedModel's folder.
        format: `"tf_saved_model"`, `"litert"` or `"onnx"`.
        task: `"image-generation"` or `"image-to-image"`.
        quantize: None, `"float16"`, `"dynamic"` or `"int8"`.
        bytes: Int, size on disk.
        parameters: Int, the generator's number of weights.
        max_error: Float, the largest absolute difference between the written file's output and the Keras
            generator's, over fresh latents or the pictures that were given; bytes are first rescaled to [-1, 1].
        mean_error: Float, the mean absolute difference.
        psnr: Float, peak signal-to-noise ratio of the two in dB; for outputs not bounded by tanh or sigmoid, the peak
            is the range over which they vary from sample to sample.
        output_range: Pair of floats, the bounds of a tanh or sigmoid, else the observed range.
        metrics: Dict of names to pairs of floats: for the Keras generator and for the file, against real data or
            targets.
        latencies: List of `keras_gan.export.latency.Latency`, milliseconds for one batch.
        not_delegated: List of strings, operations of a .tflite file that XNNPACK leaves to slower kernels; None for
            other formats.
        gpu: `keras_gan.export.gpu.Gpu`, which says if LiteRT runs a .tflite file on a GPU; None for other formats.
        signatures: Dict of the file's functions to their inputs and their output: shape and dtype.
        card: Dict of facts about data, training and license.

    Example:

    ```python
    generator = keras_gan.architectures.mlp_generator((28, 28, 1), latent_dim=64)
    report = keras_gan.export.export(generator, "digits.tflite")
    report.signatures["generate"]  # "latent float32 (1, 64) -> image float32 (1, 28, 28, 1)"
    report.save("digits.json")
    ```
    """

    filepath: Path
    format: str
    task: str
    quantize: str | None
    bytes: int
    parameters: int
    max_error: float
    mean_error: float
    psnr: float
    output_range: tuple
    metrics: dict
    latencies: list
    not_delegated: list | None
    gpu: Gpu | None
    signatures: dict
    card: dict

    def to_dict(self):
        """Returns the report as plain values, for JSON."""
        return {**dataclasses.asdict(self), "filepath": str(self.filepath)}

    def save(self, path):
        """Writes the report: as the model card for a path that ends in `.md`, as JSON for `.json`.

        Raises:
            ValueError: If the path ends in something else, or is an address, such as `gs://...`.
        """
        path = check_path("path", path)
        if path.suffix not in (".md", ".json"):
            raise ValueError(f"path must end in .md or .json. Received: {str(path)!r}.")
        text = json.dumps(self.to_dict(), indent=2) + "\n" if path.suffix == ".json" else self.to_markdown()
        path.write_text(text, encoding="utf-8")

    def to_markdown(self):
        """Returns the model card, with the front matter that model hubs read."""
        facts = [(name, self.card[name], "") for name in self.card]
        license = {} if self.card["license"] == _NOT_STATED else {"license": json.dumps(self.card["license"])}
        front = {**license, "library_name": "keras_gan", "tags": f"[gan, {self.task}]"}
        head = "\n".join(f"{key}: {value}" for key, value in front.items())
        signatures = [(f"`{name}`", f"`{text}`", "") for name, text in self.signatures.items()]
        return (
            f"---\n{head}\n---\n\n# {self.filepath.name}\n\n{tables.markdown(facts)}\n\n## Functions\n\n"
            f"{tables.markdown(signatures)}\n\n## The file\n\n{tables.markdown(self._rows())}\n"
        )

    def __str__(self):
        return f"{self.filepath}, checked against the Keras generator\n\n{tables.text(self._rows())}"

    def _rows(self):
        precision = self.quantize or "float32"
        rows = [
            ("size", f"{self.bytes / 1e6:.2f} MB", f"{self.parameters:,} parameters, {precision}"),
            ("largest error", f"{self.max_error:.2g}", f"for outputs in {describe_range(self.output_range)}"),
            ("mean error", f"{self.mean_error:.2g}", ""),
            ("PSNR", f"{self.psnr:.1f} dB", ""),
        ]
        for name, (before, after) in self.metrics.items():
            change = f" ({(after - before) / abs(before):+.1%})" if before else ""
            rows.append((name, f"{after:.4g}", f"of the file; {before:.4g} of the Keras generator{change}"))
        rows += [latency_row(latency) for latency in self.latencies]
        if self.not_delegated is not None:
            rows.append(not_delegated_row(self.not_delegated))
        if self.gpu is not None:
            rows += self.gpu.rows()
        return rows


def is_card(path):
    """Checks if an existing file is a card that may be replaced."""
    return "\nlibrary_name: keras_gan\n" in path.read_text(encoding="utf-8", errors="replace")[:1000]


def complete_card(card, metrics, range):
    """Returns all facts of a card: those that the user gave, the measured metrics and the range, and placeholders for
    missing facts.

    Args:
        card: Dict of strings that the user gave.
        metrics: Dict of names to pairs of floats.
        range: String, the range of the output.

    Returns:
        Dict of strings.
    """
    facts = dict.fromkeys(_EXPECTED, _NOT_STATED)
    facts["metrics"] = ", ".join(f"{name} {after:.4g}" for name, (_, after) in metrics.items()) or "not measured"
    facts["range"] = range
    return {**facts, **{str(key): str(value) for key, value in (card or {}).items()}}
