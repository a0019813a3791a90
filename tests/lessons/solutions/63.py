import math

from kernels.cuda.compiler import cuda, float32

EVERYBODY = 0xFFFFFFFF
NEGATIVE_INFINITY = float32(-math.inf)


def split(whole, a):
    (m, l), (m_a, l_a) = whole, a
    return l - l_a * math.exp(m_a - m)


def log_sum_exp(x, L):
    row = cuda.blockIdx.x
    m = NEGATIVE_INFINITY
    l = float32(0.0)
    for j in range(cuda.threadIdx.x, x.shape[1], 32):
        number = x[row, j]
        if number > m:
            l = l * math.exp(m - number) + float32(1.0)
            m = number
        elif number > NEGATIVE_INFINITY:
            l += math.exp(number - m)
    top = m
    for step in range(5):
        top = max(top, cuda.shfl_xor_sync(EVERYBODY, top, 1 << step))
    l = l * math.exp(m - top) if m > NEGATIVE_INFINITY else float32(0.0)
    for step in range(5):
        l += cuda.shfl_xor_sync(EVERYBODY, l, 1 << step)
    if cuda.threadIdx.x == 0:
        L[row] = top + math.log(l) if l > float32(0.0) else NEGATIVE_INFINITY


def log_softmax_backward(log_p, g, dx):
    row = cuda.blockIdx.x
    total = float32(0.0)
    for j in range(cuda.threadIdx.x, g.shape[1], 32):
        total += g[row, j]
    for step in range(5):
        total += cuda.shfl_xor_sync(EVERYBODY, total, 1 << step)
    for j in range(cuda.threadIdx.x, g.shape[1], 32):
        dx[row, j] = g[row, j] - math.exp(log_p[row, j]) * total
