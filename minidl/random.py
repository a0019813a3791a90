"""Random numbers with a state that fits into two integers: the seed and how many draws were made.

Draw number n of a generator comes from NumPy's Philox with the key (seed, n). Philox is counter-based: its output is a
function of key and counter alone, so every draw can be repeated from (seed, n) without the draws before it. The same
numbers come out on every device, since they are drawn on the CPU and moved.
"""

from __future__ import annotations

import operator
import secrets
import threading

import numpy as np

from .autograd import Tensor

__all__ = ["Generator", "default_generator", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


class Generator:
    """A source of random numbers, as ``torch.Generator``; starts with seed 0."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # threads that load data draw too
        self._seed = self._draws = 0

    def manual_seed(self, seed: int) -> Generator:
        """Start again from ``seed``, an integer of at most 64 bits (negative ones count from 2^64).

        Raises:
            TypeError: if the seed is not an integer.
            ValueError: if it is outside -2^63 ... 2^64 - 1.
        """
        try:
            number = operator.index(seed)
        except TypeError:
            raise TypeError(f"manual_seed: the seed must be an integer, not {type(seed).__name__}") from None
        if not -(2**63) <= number < 2**64:
            raise ValueError(f"manual_seed: {number} does not fit into 64 bits")
        with self._lock:
            self._seed, self._draws = number % 2**64, 0
        return self

    def seed(self) -> int:
        """Start again from a seed that nobody can foresee, and return it."""
        number = secrets.randbits(63)
        self.manual_seed(number)
        return number

    def initial_seed(self) -> int:
        """The seed that the generator was last started from."""
        return self._seed

    def get_state(self) -> Tensor:
        """The state: a tensor with the seed and the number of draws, as two int64 (the seed's bits, read signed)."""
        with self._lock:
            return Tensor(np.array([self._seed, self._draws], dtype=np.uint64).view(np.int64))

    def set_state(self, state: Tensor) -> Generator:
        """Go on from a state of ``get_state``.

        Raises:
            ValueError: if the tensor is not such a state.
        """
        if not isinstance(state, Tensor) or state.shape != (2,) or state.dtype != np.int64:
            raise ValueError("set_state: a state is a tensor of 2 int64: seed and number of draws (see get_state)")
        number, draws = state.array.view(np.uint64).tolist()
        with self._lock:
            self._seed, self._draws = number, draws
        return self

    def __reduce__(self) -> tuple:
        """Copies and pickles go on from the same state; the lock is not theirs."""
        return from_state, (self.get_state(),)

    def next(self) -> np.random.Generator:
        """NumPy's generator for the next draw; one call here counts as one draw, whatever is then taken from it."""
        with self._lock:
            key = np.array([self._seed, self._draws], dtype=np.uint64)
            self._draws += 1
        return np.random.Generator(np.random.Philox(key=key))


def from_state(state: Tensor) -> Generator:
    return Generator().set_state(state)


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the default generator again from ``seed``; all random numbers follow from it."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the default generator from a seed that nobody can foresee, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator was last started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Go on from a state of ``get_rng_state``."""
    default_generator.set_state(new_state)
