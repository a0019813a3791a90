from kernels.cuda.compiler import cuda, float32

THREADS = 64
SIDE = 16
PADDED = SIDE + 1  # no two numbers of a column in one bank


def reverse(x, y):
    i = cuda.grid(1)
    if i < x.size:
        y[x.size - 1 - i] = x[i]


def block_largest(x, largest):
    shared = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    start = cuda.blockIdx.x * THREADS
    shared[t] = x[start + t] if start + t < x.size else x[start]
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if t < half:
            shared[t] = max(shared[t], shared[t + half])
        cuda.syncthreads()
        half //= 2
    if t == 0:
        largest[cuda.blockIdx.x] = shared[0]


def transpose(x, y):
    tile = cuda.shared.array((SIDE, PADDED), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    left, top = cuda.blockIdx.x * SIDE, cuda.blockIdx.y * SIDE
    if top + ty < x.shape[0] and left + tx < x.shape[1]:
        tile[ty, tx] = x[top + ty, left + tx]
    cuda.syncthreads()
    if left + ty < y.shape[0] and top + tx < y.shape[1]:
        y[left + ty, top + tx] = tile[tx, ty]
