import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np


def test_fit_under_mirrored_strategy(tmp_path):
    script = Path(__file__).with_name("mirrored.py")
    command = [sys.executable, str(script), str(tmp_path / "gan.keras")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["replicas"] == 2 and result["iterations"] == 8
    for name, values in {**result["history"], **{k: [v] for k, v in result["evaluation"].items()}}.items():
        assert np.isfinite(values).all(), name
    # The paired loss of an untrained pair: log 2, give or take.
    assert 0.3 < result["history"]["discriminator_loss"][0] < 1.5
    assert 0 <= result["evaluation"]["real_accuracy"] <= 1
    assert result["counted"] == 52 and result["evaluation"]["high_quality"] == 1
    # No replica draws a latent that the other has drawn.
    assert result["common_latents"] > 1e-3
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_allclose(loaded.sample(2, seed=0).sum(), result["sample"], rtol=1e-4, atol=1e-4)
