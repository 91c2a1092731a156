"""`keras-gan benchmark`: times a generator file."""

from keras_gan.cli.common import add_command, positive
from keras_gan.export import benchmark


def add(commands):
    parser = add_command(
        commands,
        "benchmark",
        lambda args: benchmark(args.file, args.threads, args.seconds, args.accelerator),
        help="time a generator file",
        description="Times a generator file, whoever wrote it: latency and memory. Its one output is called image.",
    )
    parser.add_argument("file", help="a .tflite file, an .onnx file or the folder of a SavedModel")
    parser.add_argument(
        "--threads", type=positive, nargs="+", default=[1, 2], metavar="N", help="how many to use (default: 1 2)"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="how long to run for each (default: 1)")
    parser.add_argument(
        "--accelerator", choices=("gpu",), help="time a .tflite file on the GPU, which needs a Vulkan driver"
    )
