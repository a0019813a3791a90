"""Rows for the activation functions."""

from opcases import Case, away_from, integers, normal, uniform

CASES = [
    Case("relu", lambda lib, x: lib.nn.functional.relu(x), away_from([0.0], 3, 4)),
    Case("relu.method", lambda lib, x: x.relu(), away_from([0.0], 3, 4)),
    Case("relu.integers", lambda lib, x: lib.relu(x), integers(-5, 5, 12), grad=False),
    Case("leaky_relu", lambda lib, x: lib.nn.functional.leaky_relu(x), away_from([0.0], 3, 4)),
    Case("leaky_relu.steep", lambda lib, x: lib.nn.functional.leaky_relu(x, 1.7), away_from([0.0], 3, 4)),
    Case("elu", lambda lib, x: lib.nn.functional.elu(x), away_from([0.0], 3, 4)),
    Case("elu.alpha", lambda lib, x: lib.nn.functional.elu(x, alpha=0.4), away_from([0.0], 3, 4)),
    Case("elu.wide", lambda lib, x: lib.nn.functional.elu(x), uniform(-12, -3, 12)),
    Case("sigmoid", lambda lib, x: lib.sigmoid(x), normal(3, 4)),
    Case("sigmoid.functional", lambda lib, x: lib.nn.functional.sigmoid(x), uniform(-20, 20, 12)),
    Case("tanh.functional", lambda lib, x: lib.nn.functional.tanh(x), normal(3, 4)),
    Case("logsigmoid", lambda lib, x: lib.nn.functional.logsigmoid(x), uniform(-20, 20, 12)),
    Case("softplus", lambda lib, x: lib.nn.functional.softplus(x), normal(3, 4)),
    Case("softplus.beta", lambda lib, x: lib.nn.functional.softplus(x, beta=2.5), normal(3, 4)),
    Case("softplus.threshold", lambda lib, x: lib.nn.functional.softplus(x, 2, 1), away_from([0.5], 3, 4)),
    Case("silu", lambda lib, x: lib.nn.functional.silu(x), normal(3, 4)),
    Case("silu.wide", lambda lib, x: lib.nn.functional.silu(x), uniform(-20, 20, 12)),
    Case("gelu", lambda lib, x: lib.nn.functional.gelu(x), normal(3, 4)),
    Case("gelu.wide", lambda lib, x: lib.nn.functional.gelu(x), uniform(-6, 6, 40)),
    Case("gelu.tanh", lambda lib, x: lib.nn.functional.gelu(x, approximate="tanh"), normal(3, 4)),
]
