"""`keras-gan benchmark`: measures the latency and the memory of a generator file."""

from keras_gan.cli.common import add_command, positive
from keras_gan.export import benchmark


def add(commands):
    parser = add_command(
        commands,
        "benchmark",
        lambda args: benchmark(args.file, args.threads, args.seconds, args.accelerator),
        help="measure the latency and the memory of a generator file",
        description="Measures the latency and the memory of a generator file, whichever program wrote it. The file "
        "must have one output, called image.",
    )
    parser.add_argument("file", help="a .tflite file, an .onnx file or the folder of a SavedModel")
    parser.add_argument(
        "--threads",
        type=positive,
        nargs="+",
        default=[1, 2],
        metavar="N",
        help="numbers of threads to time (default: 1 2)",
    )
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="seconds to run for each number of threads (default: 1)"
    )
    parser.add_argument(
        "--accelerator", choices=("gpu",), help="run a .tflite file on the GPU, which needs a Vulkan driver"
    )
