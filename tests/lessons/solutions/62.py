import math

from kernels.cuda.compiler import cuda


def add_three(a, b, c, y):
    i = cuda.grid(1)
    if i < y.size:
        y[i] = a[i] + b[i] + c[i]


def least_n(peak, bandwidth):
    return max(1, math.ceil(6 * peak / bandwidth))


def most_registers(threads, blocks):
    warps_in_a_quarter = math.ceil(blocks * (threads // 32) / 4)
    return min(255, 16_384 // warps_in_a_quarter // 256 * 8)
