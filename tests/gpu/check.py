"""All that needs a GPU, in one command, with a report: ``python tests/gpu/check.py [REPORT.md]``.

It runs the tests of this folder (the engine against the CPU, kernels against float64, training of every family), the
tests of the whole engine with their tensors on the GPU, the memory checkers of compute-sanitizer on the kernels, if it
is installed, and the benchmarks. Without a GPU it says why there is nothing to do.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
SANITIZED = [*PYTEST, "tests/gpu/test_gpu_kernels.py", "-k", "17 or 65", "-x"]
BENCHMARKS = {
    "Products against CuPy's": "tests/bench/cuda_matmul.py",
    "Attention against PyTorch's": "tests/bench/cuda_attention.py",
}
TAIL = 60  # lines of a step's output that go into the report
PACKAGES = ["numpy", "cupy-cuda12x", "cupy-cuda13x", "numba", "numba-cuda", "torch"]


@dataclass
class Step:
    """A command, and how it went."""

    title: str
    command: list[str]
    seconds: float = 0.0
    code: int = 0
    output: str = ""

    def run(self) -> None:
        start = time.monotonic()
        done = subprocess.run(self.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.seconds, self.code, self.output = time.monotonic() - start, done.returncode, done.stdout

    def report(self) -> str:
        verdict = "passed" if self.code == 0 else f"FAILED (exit code {self.code})"
        lines = self.output.rstrip().splitlines()[-TAIL:]
        command = " ".join(["python", *self.command[1:]] if self.command[0] == sys.executable else self.command)
        return "\n".join(
            [f"## {self.title}: {verdict}, {self.seconds:.0f} s", "", f"`{command}`", "", "```", *lines, "```", ""]
        )


def steps() -> list[Step]:
    """What there is to run on this machine."""
    found = [
        Step("Tests for GPUs", [*PYTEST, "-m", "gpu", "tests"]),
        Step("The engine's tests on the GPU", [*PYTEST, "--device", "cuda", "tests/minidl"]),
    ]
    if shutil.which("compute-sanitizer"):
        for tool in ("memcheck", "racecheck", "synccheck", "initcheck"):
            command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", *SANITIZED]
            found.append(Step(f"compute-sanitizer, {tool}", command))
    for title, program in BENCHMARKS.items():
        found.append(Step(title, [sys.executable, program]))
    return found


def machine() -> list[str]:
    """The GPU, the driver and the versions, as lines of a list."""
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(0)
    lines = [
        f"- GPU: {properties['name'].decode()}, compute capability {properties['major']}.{properties['minor']}, "
        f"{properties['totalGlobalMem'] / 2**30:.0f} GiB",
        f"- CUDA driver {cupy.cuda.runtime.driverGetVersion()}, runtime {cupy.cuda.runtime.runtimeGetVersion()}",
        f"- Python {platform.python_version()} on {platform.platform()}",
    ]
    return [*lines, f"- {', '.join(filter(None, map(installed, PACKAGES)))}"]


def installed(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def write_report(path: Path, head: list[str], done: list[Step]) -> None:
    parts = ["# What ran on a GPU", "", *head, "", *[step.report() for step in done]]
    path.write_text("\n".join(parts), encoding="utf-8")


def main(words: list[str]) -> int:
    from minidl.backend import why_no_cuda

    reason = why_no_cuda()
    if reason:
        print(f"Nothing to check: no GPU ({reason})")
        return 0
    path = Path(words[0] if words else "gpu-report.md")
    head, done = machine(), []
    for step in steps():
        print(f"{step.title} ...", flush=True)
        step.run()
        done.append(step)
        write_report(path, head, done)
        print(f"  {'passed' if step.code == 0 else 'FAILED'}, {step.seconds:.0f} s", flush=True)
    print(f"Report: {path}")
    return int(any(step.code for step in done))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
