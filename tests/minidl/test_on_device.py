"""The option --device of the tests: it runs them with the arrays of another library, and says how many there were."""

import re
import subprocess
import sys
from pathlib import Path

from cpu_alone import CPU_ALONE

from minidl.backend import why_no_cuda

ROOT = Path(__file__).parents[2]


def pytest_with(*words):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_the_tests_run_on_strict_arrays():
    done = pytest_with("--device", "strict", "tests/minidl/test_inplace_guard.py")
    assert done.returncode == 0, done.stdout
    found = re.search(r"(\d+) tests passed with strict arrays; 0 others", done.stdout)
    assert found, done.stdout
    assert int(found[1]) >= 80
    assert "xfailed" in done.stdout


def test_a_device_that_is_not_there():
    reason = why_no_cuda()
    for name, text in (("cuda", f"cuda: no usable GPU ({reason})"), ("tpu", "device: 'tpu' is not a device")):
        if reason or name != "cuda":
            done = pytest_with("--device", name, "tests/minidl/test_inplace_guard.py")
            assert done.returncode != 0
            assert text in done.stderr


def test_every_exception_names_tests_that_exist():
    for pattern, reason in CPU_ALONE.items():
        file, _, name = pattern.partition("::")
        function = re.match(r"\w+", name)[0]
        assert f"def {function}" in (ROOT / "tests" / file).read_text(encoding="utf-8"), pattern
        assert reason
