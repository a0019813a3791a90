"""Training killed at random moments, twenty times, ends with the same bits as training that ran through."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import resumable

import minidl

ROOT = Path(minidl.__file__).parents[1]
KILLS, MOST_SAVES = 20, 8
STEPS = KILLS * MOST_SAVES * resumable.SAVE_EVERY + 30  # more than all the killed runs together can do


def ready(path, saves, compiled):
    """The training in a process of its own. Compiled and plain optimiser steps take turns: they give the same bits."""
    return subprocess.Popen(
        [sys.executable, resumable.__file__, str(path), str(STEPS), str(saves)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "KERNELS_COMPILED": str(int(compiled))},
    )


def go(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return process


def test_killed_and_resumed_training_ends_with_the_same_bits(tmp_path):
    through, killed = tmp_path / "through", tmp_path / "killed"
    whole = go(ready(through, -1, compiled=True))
    chance = random.Random(0)
    begun = []
    following = ready(killed, MOST_SAVES, compiled=True)
    for i in range(1, KILLS + 1):
        process, last = go(following), i == KILLS
        following = ready(killed, -1 if last else MOST_SAVES, compiled=i % 7 == 0 and not last)
        begun.append(int(process.stdout.readline().split()[1]))
        for _ in range(chance.randrange(MOST_SAVES)):
            process.stdout.readline()
        time.sleep(chance.uniform(0, 0.005))  # about what a save and three steps take: it strikes in either
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode != 0, "the training came to its end before it was killed"
    for process in (whole, go(following)):
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert begun == sorted(begun)
    assert len(set(begun)) > KILLS // 2, f"hardly any run got further than the one before: {begun}"
    assert minidl.load(killed)["step"] == STEPS
    assert killed.read_bytes() == through.read_bytes()
