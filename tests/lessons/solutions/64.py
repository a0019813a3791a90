import math

import numpy as np

from kernels.cuda.compiler import cuda, float32

EVERYBODY = 0xFFFFFFFF
SCALE = float32(1 / math.sqrt(32))


def merge(O_a, L_a, O_b, L_b):
    m = np.maximum(L_a, L_b)
    a, b = np.exp(L_a - m), np.exp(L_b - m)
    return (a[:, None] * O_a + b[:, None] * O_b) / (a + b)[:, None], m + np.log(a + b)


def one_query(q, k, v, o):
    t = cuda.threadIdx.x
    own = q[t] * SCALE
    m = float32(-math.inf)
    l = float32(0.0)
    total = float32(0.0)
    for j in range(k.shape[0]):
        s = own * k[j, t]
        for step in range(5):
            s += cuda.shfl_xor_sync(EVERYBODY, s, 1 << step)
        top = max(m, s)
        shrink = math.exp(m - top)
        weight = math.exp(s - top)
        l = l * shrink + weight
        total = total * shrink + weight * v[j, t]
        m = top
    o[t] = total / l


def visited(N, rows, columns):
    return sum(-(-min(start + rows, N) // columns) for start in range(0, N, rows))
