"""minidl.cuda answers and never raises, whatever state CuPy is in."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minidl
from minidl import backend

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


def test_the_installed_cupy():
    """Whatever state CuPy is really in here: asking never raises, and the GPU is there or its absence is one line."""
    program = PROGRAM.format(prelude="")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert result.returncode == 0, result.stderr
    first, *rest = result.stdout.splitlines()
    if first.startswith("True"):
        assert rest == []
    else:
        assert first == "False 0 None"
        (sentence,) = rest
        assert sentence.startswith("cuda: no usable GPU (CuPy ")


@pytest.mark.parametrize(
    "ask",
    [
        lambda: minidl.ones(2).cuda(),
        lambda: minidl.ones(2, device="cuda:1"),
        lambda: minidl.tensor([1.0], device="cuda"),
        lambda: minidl.nn.Linear(2, 2, device="cuda"),
        lambda: minidl.nn.Linear(2, 2).to("cuda"),
        lambda: minidl.rand(2, device="cuda"),
        lambda: minidl.set_default_device("cuda"),
    ],
)
def test_every_way_to_ask_for_a_gpu_gives_the_same_sentence(ask):
    reason = backend.why_no_cuda()
    if not reason:
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError, match="^" + re.escape(f"cuda: no usable GPU ({reason})") + "$"):
        ask()


def test_answers_fit_together():
    assert minidl.cuda.is_available() == (minidl.cuda.device_count() > 0)


def test_one_seed_serves_all_devices():
    minidl.cuda.manual_seed_all(5)
    first = minidl.rand(3).tolist()
    minidl.manual_seed(5)
    assert minidl.rand(3).tolist() == first
