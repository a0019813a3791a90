"""One step of a recurrent network: the RNN, the LSTM and the GRU, as functions and as layers (cells).

A step takes the new input x and the state h that the past has left behind, and gives the next state h'. All three
mix the two in the same way, by W_ih x + b_ih (named ``from_x`` below) and W_hh h + b_hh, and differ in what they make
of it. The rows of the weights hold one block of ``hidden_size`` rows a gate, one below the other in PyTorch's order:
i, f, g, o for the LSTM and r, z, n for the GRU.

The document's W, U and b (D1-2.2.2-a to f) are W_ih, W_hh and b_ih + b_hh here.
"""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Tensor
from ..creation import zeros
from ..ops import check
from . import functional as F
from . import init
from .init import empty
from .module import Module
from .parameter import Parameter

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]

State = tuple[Tensor, ...]  # what is handed on from step to step: (h,), and (h, c) for the LSTM

ACTIVATIONS = {"tanh": F.tanh, "relu": F.relu}


# --- the steps ---------------------------------------------------------------------------------------------------


def rnn_step(from_x: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None, nonlinearity: str) -> State:
    """h' = act(W_ih x + b_ih + W_hh h + b_hh) (D1-2.2.2-a; Elman 1990)."""
    (h,) = state
    return (ACTIVATIONS[nonlinearity](from_x + F.linear(h, w_hh, b_hh)),)


def lstm_step(from_x: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None) -> State:
    """The gates i, f, o lie in (0, 1); the cell c keeps some of its past and takes in some of the candidate g::

        i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)      what enters the cell (D1-2.2.2-b)
        f = sigmoid(W_if x + b_if + W_hf h + b_hf)      what the cell keeps (D1-2.2.2-c)
        g = tanh   (W_ig x + b_ig + W_hg h + b_hg)      the candidate
        o = sigmoid(W_io x + b_io + W_ho h + b_ho)      what the cell shows (D1-2.2.2-d)
        c' = f * c + i * g                              (D1-2.2.2-e)
        h' = o * tanh(c')                               (D1-2.2.2-f)

    The document prints sigmoid for both tanh; then c could never fall below 0. Along c' = f * c the gradient is only
    multiplied by f, and where f is near 1 it lives for many steps (Hochreiter and Schmidhuber 1997; Gers, Schmidhuber
    and Cummins 2000 for f).
    """
    h, c = state
    i, f, g, o = (from_x + F.linear(h, w_hh, b_hh)).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru_step(from_x: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None) -> State:
    """The update gate z mixes the old state with a candidate n, for which the reset gate r weakens the past::

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
        z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
        h' = (1 - z) * n + z * h

    In the paper r stands inside the product, W_hn (r * h); as here it acts on the result, all three products with h
    are one (Cho et al. 2014).
    """
    (h,) = state
    r_x, z_x, n_x = from_x.chunk(3, -1)
    r_h, z_h, n_h = F.linear(h, w_hh, b_hh).chunk(3, -1)
    r = (r_x + r_h).sigmoid()
    z = (z_x + z_h).sigmoid()
    n = (n_x + r * n_h).tanh()
    return ((1 - z) * n + z * h,)


# --- what cells and layers share ---------------------------------------------------------------------------------


class Recurrent(Module):
    """The weights of recurrent layers, how they start, and the checks of what comes in."""

    gates = 1  # blocks of rows in the weights
    states: tuple[str, ...] = ("hx",)  # the parts of the state, as the caller names them

    input_size: int
    hidden_size: int
    bias: bool

    def step(self, from_x: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None) -> State:
        """The next state, from W_ih x + b_ih and the state before."""
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def add_weights(self, width: int, suffix: str, device: Any, dtype: Any) -> None:
        """Make W_ih (gates * hidden_size, width), W_hh (gates * hidden_size, hidden_size) and their biases."""
        rows = self.gates * self.hidden_size
        for name, shape in [("ih", (rows, width)), ("hh", (rows, self.hidden_size))]:
            weight = Parameter(empty(type(self).__name__, shape, device, dtype))
            self.register_parameter(f"weight_{name}{suffix}", weight)
        for name in ("ih", "hh"):
            bias = Parameter(empty(type(self).__name__, (rows,), device, dtype)) if self.bias else None
            self.register_parameter(f"bias_{name}{suffix}", bias)

    def weights(self, suffix: str) -> list[Any]:
        """W_ih, W_hh, b_ih and b_hh; without biases, these are None."""
        return [getattr(self, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]

    def reset_parameters(self) -> None:
        """Draw new initial values, all of them uniform in (-k, k) with k = 1 / sqrt(hidden_size)."""
        k = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -k, k)

    def check_nonlinearity(self, name: Any) -> str:
        """The name itself, if it is that of a function that a step can use."""
        if name not in list(ACTIVATIONS):
            raise ValueError(f"{type(self).__name__}: nonlinearity must be 'tanh' or 'relu', not {name!r}")
        return name

    def check_input(self, input: Any, weight: Tensor, axes: tuple[str, ...]) -> Tensor:
        """The input, if it has the dtype and the width that the weights expect, with a batch or without."""
        layer = type(self).__name__
        x = check.floating(layer, input)
        if x.dtype != weight.dtype:
            raise TypeError(f"{layer}: input is {x.dtype} but the weights are {weight.dtype}; both must have one dtype")
        if not len(axes) - 1 <= x.ndim <= len(axes):
            full = f"({', '.join(axes)})"
            raise ValueError(
                f"{layer}: input must have {len(axes)} dimensions {full}, or {len(axes) - 1} without the batch, not "
                f"shape {x.shape}"
            )
        if x.shape[-1] != self.input_size:
            raise ValueError(
                f"{layer}: input has {x.shape[-1]} features but input_size is {self.input_size} (input {x.shape}, "
                f"weight_ih {weight.shape})"
            )
        return x

    def check_state(self, hx: Any, x: Tensor, axes: str, shape: tuple[int, ...]) -> State:
        """The initial state as a tuple: zeros unless it is given, and of the shape that the input asks for."""
        layer = type(self).__name__
        if hx is None:
            return (zeros(shape, dtype=x.dtype, device=x.device),) * len(self.states)
        if len(self.states) == 1:
            hx = (hx,)
        elif not isinstance(hx, (tuple, list)):
            raise TypeError(f"{layer}: hx must be a pair (h, c), not {type(hx).__name__}")
        elif len(hx) != 2:
            raise ValueError(f"{layer}: hx must be a pair (h, c), but has length {len(hx)}")
        for name, part in zip(self.states, hx, strict=True):
            if check.tensor(layer, part, name).dtype != x.dtype:
                raise TypeError(f"{layer}: {name} is {part.dtype} but input is {x.dtype}; both must have one dtype")
            if part.shape != shape:
                raise ValueError(
                    f"{layer}: {name} has shape {part.shape} but must have ({axes}) = {shape} (input {x.shape})"
                )
        return tuple(hx)


# --- cells -------------------------------------------------------------------------------------------------------


class Cell(Recurrent):
    """One step as a layer."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool, device: Any, dtype: Any) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.add_weights(input_size, "", device, dtype)
        self.reset_parameters()

    def advance(self, input: Tensor, hx: Any) -> State:
        """The state after this input."""
        w_ih, w_hh, b_ih, b_hh = self.weights("")
        x = self.check_input(input, w_ih, ("batch", "features"))
        axes = "batch, hidden_size" if x.ndim == 2 else "hidden_size,"
        state = self.check_state(hx, x, axes, (*x.shape[:-1], self.hidden_size))
        return self.step(F.linear(x, w_ih, b_ih), state, w_hh, b_hh)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(Cell):
    """One step of a basic recurrent network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh) (D1-2.2.2-a).

    Shapes: input x (batch, input_size) or (input_size,), hx and result (batch, hidden_size) or (hidden_size,);
    weight_ih (hidden_size, input_size), weight_hh (hidden_size, hidden_size), bias_ih and bias_hh (hidden_size,).

    All weights start uniform in (-k, k), k = 1 / sqrt(hidden_size).

    Args:
        bias: False leaves both biases out.
        nonlinearity: "tanh" or "relu".

    Raises:
        TypeError: if the input or the state is not a floating-point Tensor of the weights' dtype.
        ValueError: for another nonlinearity; if the input or the state has a wrong shape.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = self.check_nonlinearity(nonlinearity)

    def step(self, from_x: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None) -> State:
        return rnn_step(from_x, state, w_hh, b_hh, self.nonlinearity)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = self.advance(input, hx)
        return h

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(Cell):
    """One step of an LSTM: the formulas stand with ``lstm_step`` (D1-2.2.2-b to f).

    Shapes: input x (batch, input_size) or (input_size,); hx = (h, c) and the result (h', c'), each (batch, hidden_size)
    or (hidden_size,); weight_ih (4 * hidden_size, input_size), weight_hh (4 * hidden_size, hidden_size), bias_ih and
    bias_hh (4 * hidden_size,), with the gates in the order i, f, g, o.

    Start, arguments and errors are as for ``RNNCell``.
    """

    gates = 4
    states = ("hx[0]", "hx[1]")
    step = staticmethod(lstm_step)

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self.advance(input, hx)
        return h, c


class GRUCell(Cell):
    """One step of a GRU: the formulas stand with ``gru_step``.

    Shapes: input x (batch, input_size) or (input_size,), hx and result (batch, hidden_size) or (hidden_size,);
    weight_ih (3 * hidden_size, input_size), weight_hh (3 * hidden_size, hidden_size), bias_ih and bias_hh
    (3 * hidden_size,), with the gates in the order r, z, n.

    Start, arguments and errors are as for ``RNNCell``.
    """

    gates = 3
    step = staticmethod(gru_step)

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        (h,) = self.advance(input, hx)
        return h
