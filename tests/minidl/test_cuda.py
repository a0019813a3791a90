"""minidl.cuda answers and never raises, whatever state CuPy is in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import minidl

ROOT = Path(__file__).parents[2]

CUPY = {
    "missing": None,
    "broken": "raise OSError('libcuda.so.1: cannot open shared object file')",
    "without a driver": """
class cuda:
    class runtime:
        @staticmethod
        def getDeviceCount():
            raise RuntimeError('cudaErrorInsufficientDriver')
""",
    "without a device": """
class cuda:
    class runtime:
        @staticmethod
        def getDeviceCount():
            return 0
""",
}
REASONS = {
    "missing": "CuPy is not installed: pip install 'minidl[cuda]'",
    "broken": "CuPy cannot be imported: libcuda.so.1: cannot open shared object file",
    "without a driver": "CuPy is installed, but the CUDA driver does not answer: cudaErrorInsufficientDriver",
    "without a device": "CuPy is installed, but no CUDA device was found",
}
PROGRAM = """
import sys
{prelude}
import minidl
assert "cupy" not in sys.modules or sys.modules["cupy"] is None, "importing minidl imports CuPy"
print(minidl.cuda.is_available(), minidl.cuda.device_count(), minidl.cuda.synchronize())
try:
    minidl.ones(1).to("cuda")
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize("state", CUPY)
def test_no_usable_gpu(tmp_path, state):
    prelude = "sys.modules['cupy'] = None"
    if CUPY[state] is not None:
        (tmp_path / "cupy.py").write_text(CUPY[state])
        prelude = f"sys.path.insert(0, {str(tmp_path)!r})"
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(prelude=prelude)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert result.stderr == ""
    assert result.stdout.splitlines() == ["False 0 None", f"cuda: no usable GPU ({REASONS[state]})"]


def test_answers_fit_together():
    assert minidl.cuda.is_available() == (minidl.cuda.device_count() > 0)


def test_one_seed_serves_all_devices():
    minidl.cuda.manual_seed_all(5)
    first = minidl.rand(3).tolist()
    minidl.manual_seed(5)
    assert minidl.rand(3).tolist() == first
