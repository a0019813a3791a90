"""Freed memory stays with the process: to use it again brings no page faults."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")

PROGRAM = """
import resource
import numpy as np
from kernels.cpu.memory import keep_freed_memory
kept = keep_freed_memory() if {ask} else None
for use in range(20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    several = [np.ones(2**18, np.float32) for _ in range(40)]
    del several
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of the GNU C library")


def run(ask, **environment):
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(ask=ask)],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    kept, faults = result.stdout.split()
    return kept, int(faults)


def test_memory_is_used_again():
    assert run(ask=False)[1] > 1000  # 40 MiB given back, and fetched again
    kept, faults = run(ask=True)
    assert kept == "True"
    assert faults < 100


@pytest.mark.parametrize("name", SETTINGS)
def test_what_the_user_has_set_stays(name):
    value = "glibc.malloc.trim_threshold=131072" if name == "GLIBC_TUNABLES" else "131072"
    kept, faults = run(ask=True, **{name: value})
    assert kept == "False"
    assert faults > 1000
