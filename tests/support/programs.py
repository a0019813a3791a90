"""Programs that a test runs in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["on_other_processors", "run", "run_silently"]

ROOT = Path(__file__).parents[2]

on_other_processors = pytest.mark.parametrize(
    "environment",
    [{"NUMBA_CPU_NAME": "haswell"}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}],
    ids=["haswell", "generic"],
)


def run(program: str, **environment: str) -> str:
    """What a Python program prints, with these variables in its environment. It must not fail, and must not warn."""
    return completed(program, 300, environment).stdout.strip()


def run_silently(program: str, **environment: str) -> str:
    """The same for a program that must have nothing to say on the error stream, and takes less than two minutes."""
    result = completed(program, 120, environment)
    assert result.stderr == ""
    return result.stdout.strip()


def completed(program: str, timeout: float, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert result.returncode == 0, result.stderr
    return result
