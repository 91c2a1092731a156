"""What an export did."""

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Report:
    """What was written and how far it is from the Keras generator.

    Attributes:
        filepath: Path of the file, or of the SavedModel's folder.
        format: `"tf_saved_model"` or `"litert"`.
        bytes: Int, size on disk.
        parameters: Int, the generator's number of weights.
        max_error: Float, the largest absolute difference between the written file's output and the Keras
            generator's, over fresh latents; images lie in [-1, 1].
        mean_error: Float, the mean absolute difference.
    """

    filepath: Path
    format: str
    bytes: int
    parameters: int
    max_error: float
    mean_error: float

    def to_dict(self):
        """The report as plain values, for JSON."""
        return {**dataclasses.asdict(self), "filepath": str(self.filepath)}

    def __str__(self):
        return (
            f"{self.filepath} ({self.bytes / 1e6:.2f} MB, {self.parameters:,} parameters), checked: largest error "
            f"{self.max_error:.1g}, mean {self.mean_error:.1g}"
        )
