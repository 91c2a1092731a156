"""Free memory of this process."""

import contextlib
import math
import os
from pathlib import Path


def free(root="/"):
    """Returns how many bytes this process can still allocate, an int; infinity if unknown.

    Args:
        root: Path used as the root of the file system. Defaults to `"/"`.
    """
    root = Path(root)
    return min([_of_system(root), *_of_groups(root)])


def _of_system(root):
    with contextlib.suppress(OSError, LookupError, ValueError):
        return 1024 * int(_table(root / "proc/meminfo")["MemAvailable:"])
    # Not on Windows.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return math.inf


def _of_groups(root):
    """Yields the memory left to each control group of this process that has a limit, as in containers."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds == "":
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            base = root / "sys/fs/cgroup/memory"
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        # In a container, the process's own group is often mounted at the root, while /proc still gives the host's path
        # of the group. So all levels of the path are tried.
        parts = path.strip("/").split("/")
        for group in (base.joinpath(*parts[:i]) for i in range(len(parts) + 1)):
            with contextlib.suppress(OSError, LookupError, ValueError):
                # The page cache counts as used, but is freed on demand.
                read = int(_table(group / "memory.stat")[names[2]])
                yield max(0, int((group / names[0]).read_text()) - int((group / names[1]).read_text()) + read)


def _table(path):
    return {words[0]: words[1] for words in map(str.split, path.read_text().splitlines()) if len(words) > 1}
