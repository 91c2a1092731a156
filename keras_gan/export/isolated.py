"""Process in which `latency.benchmark` runs a file; it prints the result, or the error, as JSON in its last line."""

import json
import sys
from pathlib import Path

from keras_gan.export import latency

_MEMORY = 8 * 2**30


def main(filepath, options):
    threads, seconds, accelerator = json.loads(options)
    if accelerator is None:
        # GPU drivers reserve more memory than they use.
        _bound_memory()
    try:
        result = latency.measure(filepath, threads, seconds, accelerator).to_dict()
    # Runtimes may raise anything on broken files.
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        if not isinstance(error, (ImportError, ValueError)) or filepath not in reason:
            reason = f"filepath must be a generator that runs. Received: {filepath}. {reason}"
        result = {"error": " ".join(reason.split())[:500], "missing": isinstance(error, ImportError)}
    print("\n" + json.dumps(result))


def _bound_memory():
    """Limits the address space, where supported."""
    try:
        import resource

        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + _MEMORY,) * 2)
    except (ImportError, OSError, ValueError):
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
