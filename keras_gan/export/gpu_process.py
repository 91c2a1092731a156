"""Runs a .tflite file on LiteRT's GPU delegate. `gpu_driver.py` starts this script by its path, because importing
keras_gan would take seconds.

The folder that it gets as its argument holds `job.json` and the inputs; the script writes `outputs.npz` there. The last
line of its output is the result, as JSON.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator


def main(folder):
    folder = Path(folder)
    job = json.loads((folder / "job.json").read_text())
    accelerator = HardwareAccelerator.GPU
    if job["with_cpu"]:
        accelerator |= HardwareAccelerator.CPU
    try:
        model = CompiledModel.from_file(job["filepath"], hardware_accel=accelerator)
        outputs, times = {}, []
        for signature, count in job["signatures"].items():
            run = _runner(model, signature)
            with np.load(folder / f"{signature}.npz") as inputs:
                feeds = [{name: values[i] for name, values in inputs.items()} for i in range(count)]
            outputs[signature] = np.stack([run(feed) for feed in feeds])
            times = times or _time(lambda run=run, feed=feeds[0]: run(feed), job["seconds"])
        np.savez(folder / "outputs.npz", **outputs)
        result = {"whole": model.is_fully_accelerated(), "times": times}
    # The delegate raises only RuntimeError, but its buffers may raise anything.
    except Exception as error:
        result = {"error": " ".join(str(error).split())}
    print("\n" + json.dumps(result), flush=True)


def _runner(model, signature):
    """Returns a function from a dict of arrays to the signature's one output."""
    details = model.get_output_tensor_details(signature)
    ((name, info),) = details.items()
    shape, dtype = tuple(info["shape"]), np.dtype(info["dtype"])
    buffers = {
        key: model.create_input_buffer_by_name(signature, key) for key in model.get_input_tensor_details(signature)
    }
    output = model.create_output_buffer_by_name(signature, name)

    def run(feed):
        for key, buffer in buffers.items():
            buffer.write(np.ascontiguousarray(feed[key]))
        model.run_by_name(signature, buffers, {name: output})
        return output.read(int(np.prod(shape)), dtype).reshape(shape)

    return run


def _time(function, seconds):
    times, end = [], time.perf_counter() + seconds
    while seconds and (len(times) < 5 or time.perf_counter() < end):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    main(*sys.argv[1:])
