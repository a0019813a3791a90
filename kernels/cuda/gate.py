"""The compile gate: every kernel to machine code, and the machine code held against what it must be.

python -m kernels.cuda.gate                 # the table, as it stands in the README
python -m kernels.cuda.gate matmul          # kernels whose name contains the word
python -m kernels.cuda.gate --write FILE    # put the table into FILE, between the lines "<!-- gate -->"

Each kernel is compiled for the A100 (sm_80) and the H100 (sm_90). None may spill registers or compute in double
precision; each must leave room for as many blocks on a multiprocessor as it promises; and the loops that multiply
matrices must reach the share of multiply-adds in ``FLOORS``. The exit status is 1 where a kernel falls short.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from . import all_kernels
from .kernel import Kernel
from .machine_code import MachineCode, compile_kernel, why_no_gate
from .roofline import A100, H100, Gpu, occupancy

__all__ = ["FLOORS", "shortfalls", "table"]

SHARED_LIMIT = 48 * 1024  # bytes: numba-cuda cannot ask for more than every GPU gives
GPUS = (A100, H100)
MARK = "<!-- gate -->"
# The least share of FFMA among the instructions of the loops that multiply matrices, by the beginning of the name.
FLOORS = {
    "matmul_vectorized": 64 / 76,
    "matmul_wide": 64 / 76,
    "matmul_any": 64 / 76,
    "attention_forward_64": 0.6,
    "attention_backward_keys_64": 0.6,
    "attention_backward_queries_64": 0.6,
}


def floor_of(kernel: Kernel) -> float:
    """The share that the kernel must reach; 0 where none is asked."""
    return max((floor for start, floor in FLOORS.items() if kernel.name.startswith(start)), default=0.0)


def blocks_of(code: MachineCode, gpu: Gpu) -> int:
    """How many blocks of the kernel a multiprocessor of this GPU holds at the same time."""
    return occupancy(gpu, registers=code.registers, shared=code.shared, threads=code.kernel.launch_bounds[0]).blocks


def shortfalls(code: MachineCode, gpu: Gpu) -> Iterator[str]:
    """What is wrong with a kernel's machine code, a sentence each."""
    if code.spills or code.stack:
        yield f"{code.spills} bytes of registers spilled, {code.stack} bytes of stack"
    if code.float64_instructions:
        yield f"double precision: {', '.join(sorted(set(code.float64_instructions)))}"
    if code.shared > SHARED_LIMIT:
        yield f"{code.shared} bytes of shared memory, of {SHARED_LIMIT}"
    if blocks_of(code, gpu) < code.kernel.blocks_per_sm:
        yield f"room for {blocks_of(code, gpu)} blocks on a multiprocessor, of {code.kernel.blocks_per_sm} promised"
    floor = floor_of(code.kernel)
    if floor and not code.product_loops:
        yield "no loop with multiply-adds was found"
    for loop in code.product_loops:
        if loop.share("FFMA") < floor:
            yield f"a loop of {loop}: less than {floor:.0%} FFMA"


def row(code: MachineCode, gpu: Gpu) -> str:
    """A line of the table."""
    loops = "; ".join(map(str, code.product_loops))
    threads = code.kernel.launch_bounds[0]
    blocks = blocks_of(code, gpu)
    share = blocks * threads / gpu.threads_per_sm
    return (
        f"| `{code.kernel.name}` | sm_{gpu.architecture[0]}{gpu.architecture[1]} | {threads} | {code.registers} "
        f"| {code.shared} | {blocks} ({share:.0%}) | {loops or '-'} |"
    )


def table(kernels: list[Kernel]) -> tuple[list[str], list[str]]:
    """The lines of the table, and what falls short."""
    lines = [
        "| kernel | for | threads | registers | shared bytes | blocks an SM (occupancy) | product loops |",
        "|---|---|---|---|---|---|---|",
    ]
    wrong = []
    for kernel in kernels:
        for gpu in GPUS:
            code = compile_kernel(kernel, gpu.architecture)
            lines.append(row(code, gpu))
            wrong += [f"{kernel.name}, {gpu.name}: {fault}" for fault in shortfalls(code, gpu)]
    return lines, wrong


def write(path: Path, lines: list[str]) -> None:
    """Replace what stands between the two marks of a file.

    Raises:
        ValueError: where the file does not have exactly two marks.
    """
    parts = path.read_text(encoding="utf-8").split(MARK)
    if len(parts) != 3:
        raise ValueError(f"{path}: needs the line {MARK} twice, and has it {len(parts) - 1} times")
    text = MARK.join([parts[0], "\n" + "\n".join(lines) + "\n", parts[2]])
    path.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m kernels.cuda.gate", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only kernels whose name contains one of these words")
    parser.add_argument("--write", type=Path, metavar="FILE", help=f"put the table into FILE, between two lines {MARK}")
    options = parser.parse_args(arguments)
    reason = why_no_gate()
    if reason:
        print(f"the gate cannot run: {reason}", file=sys.stderr)
        return 2
    words = options.words or [""]
    chosen = [kernel for kernel in all_kernels() if any(word in kernel.name for word in words)]
    lines, wrong = table(chosen)
    if options.write:
        write(options.write, lines)
    print("\n".join(lines))
    print(f"\n{len(chosen)} kernels, {len(wrong)} shortfalls", *wrong, sep="\n")
    return 1 if wrong or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
