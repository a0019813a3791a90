"""Recurrent networks over whole sequences: RNN, LSTM and GRU, in several layers and in both directions.

A layer walks along the sequence with the step of its cell and hands the state on. What the input has to say at each
step does not depend on the state, so it is one product for the whole sequence; only the products with the state have
to wait for one another. A second layer reads the outputs of the first as its input. With two directions, a twin with
weights of its own walks from the end to the beginning, and the outputs of both stand side by side.

The gradient walks the same way back (backpropagation through time): it is the gradient of the small operations that
the steps are made of.
"""

from __future__ import annotations

import warnings
from typing import Any

from ..autograd import Tensor
from ..ops import cat, check, stack
from . import functional as F
from .parameter import Parameter
from .recurrent_cells import Recurrent, State, gru_step, lstm_step, rnn_step

__all__ = ["GRU", "LSTM", "RNN"]


class RecurrentLayers(Recurrent):
    """What RNN, LSTM and GRU share: all but the step."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = check.positive(name, input_size, "input_size")
        self.hidden_size = check.positive(name, hidden_size, "hidden_size")
        self.num_layers = check.positive(name, num_layers, "num_layers")
        self.bias = self.truth("bias", bias)
        self.batch_first = self.truth("batch_first", batch_first)
        self.dropout = self.probability(dropout)
        self.bidirectional = self.truth("bidirectional", bidirectional)
        for layer in range(self.num_layers):
            for suffix in self.suffixes(layer):
                self.add_weights(self.input_size if layer == 0 else self.output_size, suffix, device, dtype)
        self.reset_parameters()

    # Settings

    def truth(self, name: str, value: Any) -> bool:
        """A switch, checked: numbers in its place are arguments in a wrong order."""
        if not isinstance(value, bool):
            raise TypeError(f"{type(self).__name__}: {name} must be True or False, not {value!r}")
        return value

    def probability(self, p: Any) -> float:
        """The probability of dropout, checked."""
        layer = type(self).__name__
        if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
            raise ValueError(f"{layer}: dropout is a probability and must lie between 0 and 1, not {p!r}")
        if p > 0 and self.num_layers == 1:
            warnings.warn(
                f"{layer}: dropout acts between layers, and there is only one; dropout={p} changes nothing",
                stacklevel=4,
            )
        return float(p)

    def suffixes(self, layer: int) -> list[str]:
        """How the names of a layer's parameters end, one ending a direction."""
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    @property
    def output_size(self) -> int:
        """The width of the output: the hidden states of all directions."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """For each layer and direction W_ih, W_hh and, if there are any, b_ih and b_hh."""
        suffixes = [suffix for layer in range(self.num_layers) for suffix in self.suffixes(layer)]
        return [[weight for weight in self.weights(suffix) if weight is not None] for suffix in suffixes]

    def flatten_parameters(self) -> None:
        """Does nothing: PyTorch joins the weights in memory for cuDNN here, which the engine does not use."""

    # Running

    def run(self, input: Tensor, hx: Any) -> tuple[Tensor, State]:
        """The outputs of the last layer at all steps, and the final states of all layers and directions."""
        axes = ("batch", "length", "features") if self.batch_first else ("length", "batch", "features")
        x = self.check_input(input, self.weights("_l0")[0], axes)
        batch_comes_first = self.batch_first and x.ndim == 3
        if batch_comes_first:
            x = x.swapaxes(0, 1)
        if not len(x):
            raise ValueError(f"{type(self).__name__}: input must have at least one time step (input {input.shape})")
        starts = self.initial_states(hx, input, x.shape[1:-1])
        ends: list[State] = []
        for layer in range(self.num_layers):
            if layer:
                x = F.dropout(x, self.dropout, self.training)
            outputs = []
            for suffix in self.suffixes(layer):
                output, end = self.walk(x, starts[len(ends)], suffix)
                outputs.append(output)
                ends.append(end)
            x = cat(outputs, -1) if self.bidirectional else output
        finals = tuple(stack(parts) for parts in zip(*ends))
        return (x.swapaxes(0, 1) if batch_comes_first else x), finals

    def initial_states(self, hx: Any, input: Tensor, batch: tuple[int, ...]) -> list[State]:
        """One state for each layer and direction, in the order in which they run."""
        axes = "layers * directions, batch, hidden_size" if batch else "layers * directions, hidden_size"
        number = self.num_layers * (2 if self.bidirectional else 1)
        parts = self.check_state(hx, input, axes, (number, *batch, self.hidden_size))
        return list(zip(*(part.unbind(0) for part in parts)))

    def walk(self, x: Tensor, state: State, suffix: str) -> tuple[Tensor, State]:
        """One layer in one direction: (length, ..., features) to the outputs (length, ..., hidden_size)."""
        w_ih, w_hh, b_ih, b_hh = self.weights(suffix)
        order = slice(None, None, -1) if suffix.endswith("_reverse") else slice(None)
        outputs = []
        for from_x in F.linear(x, w_ih, b_ih).unbind(0)[order]:  # one product for all steps
            state = self.step(from_x, state, w_hh, b_hh)
            outputs.append(state[0])
        return stack(outputs[order]), state

    def extra_repr(self) -> str:
        settings = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False}
        given = [f"{name}={getattr(self, name)}" for name, usual in settings.items() if getattr(self, name) != usual]
        return ", ".join([str(self.input_size), str(self.hidden_size), *given])


class RNN(RecurrentLayers):
    """The basic recurrent network: h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) at every step t (D1-2.2.2-a).

    Shapes, with L = num_layers, D = 2 if bidirectional else 1:

    * input x (length, batch, input_size), or (batch, length, input_size) if batch_first, or (length, input_size)
    * initial state hx (L D, batch, hidden_size), or (L D, hidden_size); zeros unless given
    * output: h_t of the last layer, (length, batch, D hidden_size) or in the order of the input; forward direction
      first, so that at step t the first half has seen x_1 ... x_t and the second half x_t ... x_length
    * final state: h of every layer (and in it of every direction) after its last step, as hx
    * weight_ih_l0 (hidden_size, input_size), (hidden_size, D hidden_size) in higher layers; weight_hh_l0 (hidden_size,
      hidden_size); bias_ih_l0, bias_hh_l0 (hidden_size,); the names of the other direction end in _reverse

    All weights start uniform in (-k, k), k = 1 / sqrt(hidden_size).

    Args:
        num_layers: how many layers, each reading the outputs of the one before.
        nonlinearity: "tanh" or "relu".
        bias: False leaves both biases out.
        batch_first: whether the batch is the first dimension of input and output (never of the states).
        dropout: the probability with which, in training, each output of every layer but the last is dropped.
        bidirectional: whether each layer walks in both directions.

    Returns:
        output and final state.

    Raises:
        TypeError: if a setting has a wrong type; if the input or the state is not a floating-point Tensor of the
            weights' dtype.
        ValueError: if a setting is out of range; if the input or the state has a wrong shape, or the sequence is empty.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.nonlinearity = self.check_nonlinearity(nonlinearity)

    def step(self, from_x: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None) -> State:
        return rnn_step(from_x, state, w_hh, b_hh, self.nonlinearity)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, (h_n,) = self.run(input, hx)
        return output, h_n


class LSTM(RecurrentLayers):
    """Long short-term memory; at every step t, with the gates i, f, o and the candidate g (D1-2.2.2-b to f)::

        i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)        f_t and o_t likewise
        g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
        c_t = f_t * c_{t-1} + i_t * g_t
        h_t = o_t * tanh(c_t)

    Shapes, arguments, start and errors are as for ``RNN``, except that the states are pairs: hx = (h_0, c_0) and the
    final state (h_n, c_n); and that the weights and biases have 4 * hidden_size rows, in the order i, f, g, o.

    Args:
        proj_size: only 0; a projection of h is not available.
    """

    gates = 4
    states = ("hx[0]", "hx[1]")
    step = staticmethod(lstm_step)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if proj_size != 0:
            raise ValueError(f"LSTM: proj_size must be 0, not {proj_size}: a projection of h is not available")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.proj_size = proj_size

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, (h_n, c_n) = self.run(input, hx)
        return output, (h_n, c_n)


class GRU(RecurrentLayers):
    """The gated recurrent unit; at every step t::

        r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)        z_t likewise
        n_t = tanh(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    Shapes, arguments, start and errors are as for ``RNN``, except that the weights and biases have 3 * hidden_size
    rows, in the order r, z, n.
    """

    gates = 3
    step = staticmethod(gru_step)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, (h_n,) = self.run(input, hx)
        return output, h_n
