"""The steps of the optimisers, each in one pass over memory.

Adam reads w, g, m, v and writes w, m, v: 28 bytes an element in float32. Written with NumPy's operations it makes more
than ten passes and as many temporary arrays.

The arguments are first the arrays (w the parameter, g its gradient), then numbers. ``sign`` is 1, or -1 to climb
instead of descend; ``coupled`` is the weight decay that is added to the gradient (0: none).
"""

import math

from .compiler import Loop

__all__ = ["adagrad", "adam", "momentum", "rmsprop", "sgd"]


@Loop
def sgd(w, g, sign, coupled, lr):
    """w <- w - lr (g + coupled w)."""
    real = w.dtype.type  # numbers arrive in double precision; float32 must stay float32
    sign, coupled, lr = real(sign), real(coupled), real(lr)
    for i in range(w.size):
        d = sign * g[i]
        if coupled != 0:
            d += coupled * w[i]
        w[i] -= lr * d


@Loop
def momentum(w, g, b, sign, coupled, lr, mu, keep, nesterov):
    """b <- mu b + keep d with d = g + coupled w; w <- w - lr b, or w - lr (d + mu b) if nesterov is not 0."""
    real = w.dtype.type
    sign, coupled, lr, mu, keep = real(sign), real(coupled), real(lr), real(mu), real(keep)
    for i in range(w.size):
        d = sign * g[i]
        if coupled != 0:
            d += coupled * w[i]
        b[i] = mu * b[i] + keep * d
        if nesterov != 0:
            w[i] -= lr * (d + mu * b[i])
        else:
            w[i] -= lr * b[i]


@Loop
def adam(w, g, m, v, sign, coupled, shrink, beta1, beta2, rate, eps):
    """m <- beta1 m + (1 - beta1) d, v <- beta2 v + (1 - beta2) d^2 with d = g + coupled w;
    w <- shrink w - rate m / (sqrt(v) + eps).
    """
    real = w.dtype.type
    gain1, gain2 = real(1 - beta1), real(1 - beta2)
    sign, coupled, shrink = real(sign), real(coupled), real(shrink)
    beta1, beta2, rate, eps = real(beta1), real(beta2), real(rate), real(eps)
    for i in range(w.size):
        d = sign * g[i]
        if coupled != 0:
            d += coupled * w[i]
        m[i] = beta1 * m[i] + gain1 * d
        v[i] = beta2 * v[i] + gain2 * d * d
        w[i] = shrink * w[i] - rate * m[i] / (math.sqrt(v[i]) + eps)


@Loop
def adagrad(w, g, s, sign, coupled, rate, eps):
    """s <- s + d^2 with d = g + coupled w; w <- w - rate d / (sqrt(s) + eps)."""
    real = w.dtype.type
    sign, coupled, rate, eps = real(sign), real(coupled), real(rate), real(eps)
    for i in range(w.size):
        d = sign * g[i]
        if coupled != 0:
            d += coupled * w[i]
        s[i] += d * d
        w[i] -= rate * d / (math.sqrt(s[i]) + eps)


@Loop
def rmsprop(w, g, v, sign, coupled, lr, alpha, eps):
    """v <- alpha v + (1 - alpha) d^2 with d = g + coupled w; w <- w - lr d / (sqrt(v) + eps)."""
    real = w.dtype.type
    gain = real(1 - alpha)
    sign, coupled, lr, alpha, eps = real(sign), real(coupled), real(lr), real(alpha), real(eps)
    for i in range(w.size):
        d = sign * g[i]
        if coupled != 0:
            d += coupled * w[i]
        v[i] = alpha * v[i] + gain * d * d
        w[i] -= lr * (d / (math.sqrt(v[i]) + eps))
