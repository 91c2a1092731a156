"""A long run with all callbacks, as a user's script: run by test_durability.py.

Arguments: a folder, how many epochs of 25 steps, and how often to export. Prints the resident memory in bytes after
each epoch as a list, and how often the step was traced.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

import keras_gan

folder, epochs, every = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
memory = []


class Watch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.sample(16)
        if epoch % every == every - 1:
            self.model.export(folder / "generator.tflite")
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory.append(pages * os.sysconf("SC_PAGE_SIZE"))


gan = keras_gan.GAN(
    keras_gan.architectures.dcgan_generator((28, 28, 1), latent_dim=4, width=4),
    keras_gan.architectures.dcgan_discriminator((28, 28, 1), width=4),
    ema=0.9,
)
gan.compile(penalties=[keras_gan.penalties.R1(0.1)], metrics=[keras_gan.metrics.SlicedWasserstein()])
step, traces = gan.adversarial_step, []
gan.adversarial_step = lambda data: traces.append(None) or step(data)
gan.fit(
    keras_gan.datasets.load("digits", batch_size=16).take(25),
    epochs=epochs,
    validation_data=keras_gan.datasets.load("digits", batch_size=100, split="test").take(1),
    verbose=0,
    callbacks=[
        Watch(),
        keras.callbacks.TensorBoard(folder),
        keras.callbacks.ModelCheckpoint(folder / "gan.keras"),
        keras_gan.callbacks.SampleGrid(folder, n=16),
        keras_gan.callbacks.TrainingHealth(folder),
        keras_gan.callbacks.BackupAndRestore(folder / "backup"),
    ],
)
print(json.dumps({"memory": memory, "traces": len(traces)}))
