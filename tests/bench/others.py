"""The same training step (MLP, cross-entropy, Adam) in other libraries, for orientation. None where one is missing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Step = Callable[[], object] | None


def data(weights: list[np.ndarray], batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((batch, weights[0].shape[1])).astype(np.float32)
    return x, rng.integers(0, weights[-1].shape[0], batch)


def adam(parameters, gradients, m, v, t, library):
    """Adam with PyTorch's defaults, in any NumPy-like library; returns new lists."""
    m = [0.9 * a + 0.1 * g for a, g in zip(m, gradients, strict=True)]
    v = [0.999 * a + 0.001 * g * g for a, g in zip(v, gradients, strict=True)]
    first, second = 1 - 0.9**t, 1 - 0.999**t
    parameters = [
        p - 0.001 * (a / first) / (library.sqrt(b / second) + 1e-8) for p, a, b in zip(parameters, m, v, strict=True)
    ]
    return parameters, m, v


def loss_of(parameters, x, y, library, log_sum_exp):
    for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        x = library.maximum(x @ w.T + b, 0)
    z = x @ parameters[-2].T + parameters[-1]
    return library.mean(log_sum_exp(z) - z[library.arange(len(y)), y])


def jax_jit(weights: list[np.ndarray], batch: int) -> Step:
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        return None
    x, y = map(jnp.asarray, data(weights, batch))
    gradient = jax.value_and_grad(lambda p: loss_of(p, x, y, jnp, lambda z: jax.nn.logsumexp(z, axis=1)))

    @jax.jit
    def update(parameters, m, v, t):
        loss, gradients = gradient(parameters)
        return loss, *adam(parameters, gradients, m, v, t, jnp)

    state = (
        [jnp.asarray(w) for w in weights],
        [jnp.zeros_like(w) for w in weights],
        [jnp.zeros_like(w) for w in weights],
        0.0,
    )

    def step():
        nonlocal state
        parameters, m, v, t = state
        loss, parameters, m, v = update(parameters, m, v, t + 1)
        jax.block_until_ready(parameters)
        state = parameters, m, v, t + 1
        return loss

    return step


def autograd(weights: list[np.ndarray], batch: int) -> Step:
    try:
        import autograd.numpy as anp
        from autograd import value_and_grad
        from autograd.scipy.special import logsumexp
    except ImportError:
        return None
    x, y = data(weights, batch)
    gradient = value_and_grad(lambda p: loss_of(p, x, y, anp, lambda z: logsumexp(z, axis=1)))
    state = weights, [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights], 0

    def step():
        nonlocal state
        parameters, m, v, t = state
        loss, gradients = gradient(parameters)
        state = *adam(parameters, gradients, m, v, t + 1, np), t + 1
        return loss

    return step


def mygrad(weights: list[np.ndarray], batch: int) -> Step:
    try:
        import mygrad as mg
        from mygrad.nnet.losses import softmax_crossentropy
    except ImportError:
        return None
    x, y = data(weights, batch)
    parameters = [mg.tensor(w) for w in weights]
    m, v, t = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights], 0

    def step():
        nonlocal m, v, t
        z = x
        for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            z = mg.maximum(mg.matmul(z, w.T) + b, 0)
        loss = softmax_crossentropy(mg.matmul(z, parameters[-2].T) + parameters[-1], y)
        loss.backward()
        t += 1
        new, m, v = adam([p.data for p in parameters], [p.grad for p in parameters], m, v, t, np)
        for p, value in zip(parameters, new, strict=True):
            p.data[...] = value
        return loss

    return step


def tinygrad(weights: list[np.ndarray], batch: int) -> Step:
    try:
        from tinygrad import Tensor, TinyJit
        from tinygrad.nn.optim import Adam
    except ImportError:
        return None
    try:
        x, y = (Tensor(a).realize() for a in data(weights, batch))
    except RuntimeError as error:  # it compiles for the CPU with clang, which may be missing
        print(f"tinygrad is installed but does not run: {error}")
        return None
    parameters = [Tensor(w, requires_grad=True) for w in weights]
    optimizer = Adam(parameters, lr=0.001)

    @TinyJit
    def update():
        z = x
        for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            z = z.linear(w.T, b).relu()
        optimizer.zero_grad()
        loss = z.linear(parameters[-2].T, parameters[-1]).sparse_categorical_crossentropy(y)
        loss.backward()
        return loss.realize(*optimizer.schedule_step())

    def step():
        with Tensor.train():
            return update().numpy()

    return step


OTHERS = {"jax.jit": jax_jit, "autograd": autograd, "mygrad": mygrad, "tinygrad": tinygrad}
