"""The command `keras-gan`, outside the package: TensorFlow, which it imports, is silenced and made fast before."""

import os
import sys


def main():
    """Runs `keras_gan.cli.main` on the command line; its result is the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Off by default on processors without AVX-512, where convolutions then take up to twice as long.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # TensorFlow writes notes to stderr while it is imported, before it heeds any setting.
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        from keras_gan import cli
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
