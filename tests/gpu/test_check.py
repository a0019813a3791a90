"""The command that checks everything on a GPU: what it does without one, and its report."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from minidl.backend import why_no_cuda

PATH = Path(__file__).with_name("check.py")
spec = importlib.util.spec_from_file_location("check_on_gpu", PATH)
check = sys.modules["check_on_gpu"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check)


@pytest.mark.skipif(not why_no_cuda(), reason="there is a GPU, and the command would run for an hour")
def test_without_a_gpu_it_says_why(tmp_path):
    command = [sys.executable, str(PATH), str(tmp_path / "report.md")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"Nothing to check: no GPU ({why_no_cuda()})"
    assert not (tmp_path / "report.md").exists()


def test_the_report_holds_every_step(tmp_path):
    done = [
        check.Step("Good", [sys.executable, "-c", "print('all well')"]),
        check.Step("Bad", [sys.executable, "-c", "print('x' * 3); raise SystemExit(3)"]),
    ]
    for step in done:
        step.run()
    check.write_report(tmp_path / "report.md", ["- GPU: none"], done)
    text = (tmp_path / "report.md").read_text()
    for part in ("- GPU: none", "## Good: passed, ", "all well", "## Bad: FAILED (exit code 3), ", "xxx"):
        assert part in text


def test_compute_sanitizer_runs_where_it_is_installed(monkeypatch):
    for found, tools in (("/usr/bin/compute-sanitizer", 4), (None, 0)):
        monkeypatch.setattr(check.shutil, "which", lambda name, found=found: found)
        assert sum(step.command[0] == "compute-sanitizer" for step in check.steps()) == tools
    assert any("--device" in step.command for step in check.steps())


@pytest.mark.skipif(not why_no_cuda(), reason="there is a GPU, and the benchmarks would run for minutes")
def test_the_benchmarks_end_well_without_a_gpu():
    for program in check.BENCHMARKS.values():
        done = subprocess.run([sys.executable, program], cwd=check.ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("nothing to measure")
