from kernels.cuda.compiler import cuda, float32

T = 16
PADDED = T + 1


def times_transposed(a, b, c):
    tile_a = cuda.shared.array((T, T), float32)
    tile_b = cuda.shared.array((T, PADDED), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    row, column = cuda.blockIdx.y * T, cuda.blockIdx.x * T
    (M, N), K = c.shape, a.shape[1]
    total = float32(0.0)
    for start in range(0, K, T):
        tile_a[y, x] = a[row + y, start + x] if row + y < M and start + x < K else float32(0.0)
        tile_b[y, x] = b[column + y, start + x] if column + y < N and start + x < K else float32(0.0)
        cuda.syncthreads()
        for k in range(T):
            total += tile_a[y, k] * tile_b[x, k]
        cuda.syncthreads()
    if row + y < M and column + x < N:
        c[row + y, column + x] = total


def fetched(M, N, K, R, S):
    return 4 * (M * K * -(-N // S) + K * N * -(-M // R) + M * N)
