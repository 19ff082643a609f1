"""Run by path, never imported: sets limits on itself and becomes the command. Arguments: bytes of memory, then the command, an absolute path first.

The limit is on private writable memory (RLIMIT_DATA) of each process, not on addresses (RLIMIT_AS): a GPU's driver reserves far more addresses than
it uses. Where the system knows it (Linux), the command ends with whoever started it.
"""

import os
import resource
import signal
import sys


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _end_with_parent() -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, kept over exec


if __name__ == "__main__":
    _limit(resource.RLIMIT_DATA, int(sys.argv[1]))
    _limit(resource.RLIMIT_CORE, 0)
    _end_with_parent()
    os.execv(sys.argv[2], sys.argv[2:])
