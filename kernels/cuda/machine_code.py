"""From a kernel to machine code without a GPU, a driver or the CUDA toolkit, and what can be read off that code.

Python's source becomes PTX (by Numba-CUDA and libNVVM), PTX becomes machine code (by nvJitLink, which reports registers
and memory), and nvdisasm lists its instructions. All three come as Python packages: ``pip install 'minidl[gate]'``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .compiler import cuda
from .kernel import Kernel

__all__ = ["Loop", "MachineCode", "compile_kernel", "innermost_loops", "why_no_gate"]

INSTRUCTION = re.compile(r"^\s*/\*(?P<address>[0-9a-f]{4,})\*/\s+(?:@!?U?P\w+\s+)?(?P<text>[A-Z].*?)\s*;")
LABEL = re.compile(r"^(\.L_x_\d+):")
JUMP = re.compile(r"\bBRA(?:\.\w+)*\s.*?`\((\.L_x_\d+)\)")
HOPPER_RESERVES = 1024  # bytes of shared memory a block that the system keeps on sm_90, and counts as the kernel's


@dataclass(frozen=True)
class Loop:
    """An innermost loop: its instructions' names, such as ``FFMA`` or ``LDS.128``, in their order."""

    instructions: tuple[str, ...]

    def count(self, name: str) -> int:
        """How many instructions are called ``name``, whatever follows after a dot."""
        return sum(1 for instruction in self.instructions if f"{instruction}.".startswith(f"{name}."))

    def share(self, name: str) -> float:
        """The part of the instructions that are called ``name``."""
        return self.count(name) / len(self.instructions)

    def __str__(self) -> str:
        product = "HMMA" if self.count("HMMA") else "FFMA"
        return f"{self.count(product)} {product} of {len(self.instructions)}, {self.count('LDS.128')} LDS.128"


@dataclass(frozen=True)
class MachineCode:
    """What the compiler made of a kernel for one architecture, such as (8, 0) for an A100.

    ``registers`` a thread, ``spills`` in bytes (numbers that found no register), ``stack`` in bytes a thread,
    ``shared`` memory in bytes a block, the names of all ``instructions``, and the innermost ``loops``.
    """

    kernel: Kernel
    architecture: tuple[int, int]
    registers: int
    spills: int
    stack: int
    shared: int
    instructions: tuple[str, ...]
    loops: tuple[Loop, ...]

    @property
    def float64_instructions(self) -> tuple[str, ...]:
        """Instructions on double-precision numbers: a Python number that slipped into float32 arithmetic makes them."""
        return tuple(
            name for name in self.instructions if re.match(r"D(ADD|MUL|FMA|SETP|MNMX)\b|.*\.F64\b|MUFU.*64H", name)
        )

    @property
    def product_loops(self) -> tuple[Loop, ...]:
        """The innermost loops that multiply matrices.

        They use the tensor cores, or have 16 multiply-adds or more on numbers from shared memory. (An exponential is
        a polynomial: a loop of exponentials has multiply-adds too, but reads no shared memory.)
        """
        return tuple(
            loop for loop in self.loops if loop.count("HMMA") or (loop.count("FFMA") >= 16 and loop.count("LDS"))
        )


def why_no_gate() -> str:
    """Why kernels cannot be compiled to machine code here, in one sentence; empty where they can."""
    try:
        import numba_cuda  # noqa: F401
        from cuda.bindings import nvjitlink  # noqa: F401
    except ImportError as error:
        return f"{error.name} is missing: pip install 'minidl[gate]'"
    return "" if disassembler() else "nvdisasm is missing: pip install 'minidl[gate]'"


def compile_kernel(kernel: Kernel, architecture: tuple[int, int]) -> MachineCode:
    """The kernel's machine code for one architecture.

    Raises:
        RuntimeError: where a tool is missing, with the sentence of ``why_no_gate``.
    """
    reason = why_no_gate()
    if reason:
        raise RuntimeError(f"compile_kernel: {reason}")
    ptx, _ = cuda.compile_ptx(
        kernel.thread,
        kernel.signature,
        cc=architecture,
        fastmath=kernel.fastmath,
        launch_bounds=kernel.launch_bounds,
    )
    binary, log = link(ptx, architecture)

    def number(pattern: str) -> int:
        found = re.search(pattern, log)
        return int(found.group(1)) if found else 0

    listing = disassemble(binary)
    shared = number(r"(\d+) bytes smem")
    return MachineCode(
        kernel=kernel,
        architecture=architecture,
        registers=number(r"Used (\d+) registers"),
        spills=number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
        stack=number(r"(\d+) bytes stack frame"),
        shared=shared - HOPPER_RESERVES if architecture >= (9, 0) and shared else shared,
        instructions=tuple(name for _, name, _ in instructions_of(listing)),
        loops=tuple(innermost_loops(listing)),
    )


def link(ptx: str, architecture: tuple[int, int]) -> tuple[bytes, str]:
    """Machine code made from PTX, and what the assembler says about it."""
    from cuda.bindings import nvjitlink

    options = [f"-arch=sm_{architecture[0]}{architecture[1]}", "-Xptxas=-v", "-verbose"]
    text = ptx.encode() + b"\0"
    handle: Any = nvjitlink.create(len(options), options)
    try:
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, text, len(text), "kernel")
        nvjitlink.complete(handle)
        binary = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, binary)
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
    finally:
        nvjitlink.destroy(handle)
    return bytes(binary), log.decode()


def disassembler() -> str | None:
    """Where the program nvdisasm is: on the path, or in the package that brings it."""
    on_path = shutil.which("nvdisasm")
    if on_path:
        return on_path
    try:
        import nvidia
    except ImportError:
        return None
    found = [path for folder in nvidia.__path__ for path in Path(folder).glob("*/bin/nvdisasm*")]
    return str(found[0]) if found else None


def disassemble(binary: bytes) -> str:
    """The listing of a binary."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(binary)
        return subprocess.run([str(disassembler()), "-c", path], capture_output=True, text=True, check=True).stdout


def instructions_of(listing: str) -> list[tuple[int, str, str]]:
    """Each instruction of a listing: the number of its line, its name, and its text."""
    found = []
    for line, text in enumerate(listing.splitlines()):
        match = INSTRUCTION.match(text)
        if match:
            found.append((line, match["text"].split()[0], match["text"]))
    return found


def innermost_loops(listing: str) -> list[Loop]:
    """The loops without a loop inside: from a label to a later jump back to it."""
    labels = {
        match.group(1): line for line, text in enumerate(listing.splitlines()) if (match := LABEL.match(text.strip()))
    }
    listed = instructions_of(listing)
    spans = []
    for line, _, text in listed:
        jump = JUMP.search(text)
        if jump and jump.group(1) in labels and labels[jump.group(1)] < line:
            spans.append((labels[jump.group(1)], line))
    innermost = [
        (start, end)
        for start, end in spans
        if not any((start, end) != other and start <= other[0] and other[1] <= end for other in spans)
    ]
    return [
        Loop(tuple(name for line, name, _ in listed if start < line <= end))
        for start, end in innermost
        if any(start < line < end for line, _, _ in listed)  # a jump to itself ends the code
    ]
