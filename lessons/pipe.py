"""Programs whose output goes into a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

READER_LEFT = 141  # what a shell calls the end of a command by SIGPIPE: 128 + 13


def while_read(program: Callable[[], int]) -> int:
    """The exit status of a program, which ends without a word once nobody reads its output: `... | head -1`.

    What it printed is written here, since Python would otherwise do that at its end and report the closed pipe there.
    """
    try:
        try:
            return program()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # for what is still in the buffers
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        return READER_LEFT
