"""minidl: a deep-learning engine that a person can read from end to end.

The names are PyTorch's, so that what is learned here carries over::

    import minidl
    import minidl.nn as nn
    import minidl.nn.functional as F

    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad  # tensor([2., 4.])

Read ``autograd.py`` first: it is all of automatic differentiation. Then any file of ``ops/``.
"""

import warnings

# log(0) is -inf and 0/0 is NaN here, as in PyTorch and silently so; the filter touches this package's lines alone. Sums
# and products warn from lines of NumPy's: the reductions and the backward pass tell NumPy not to.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"minidl\.")

from .autograd import Function, Tensor, grad  # noqa: E402
from .grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled  # noqa: E402
from .backend import (  # noqa: E402
    bool_ as bool,
    device,
    float16,
    float32,
    float64,
    get_default_device,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    set_default_device,
    set_default_dtype,
    uint8,
)
from .checkpoint import load, save  # noqa: E402
from .creation import (  # noqa: E402
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from .ops import (  # noqa: E402
    # arithmetic
    add,
    div,
    floor_divide,
    mul,
    neg,
    pow,
    remainder,
    sub,
    # smooth functions
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    erf,
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    reciprocal,
    rsqrt,
    sigmoid,
    sin,
    sinh,
    sqrt,
    square,
    tan,
    tanh,
    # kinks, steps and choices
    abs,
    ceil,
    clamp,
    floor,
    masked_fill,
    maximum,
    minimum,
    round,
    sign,
    trunc,
    where,
    # comparisons and logic
    allclose,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    eq,
    equal,
    ge,
    gt,
    isclose,
    isfinite,
    isinf,
    isnan,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
    # reductions
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    argsort,
    cosine_similarity,
    count_nonzero,
    cumprod,
    cumsum,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    norm,
    prod,
    softmax,
    sort,
    std,
    sum,
    topk,
    var,
    # shape
    broadcast_to,
    clone,
    flatten,
    flip,
    meshgrid,
    movedim,
    permute,
    ravel,
    reshape,
    roll,
    squeeze,
    swapaxes,
    t,
    tile,
    transpose,
    unflatten,
    unsqueeze,
    # diagonals and triangles
    diag,
    diagonal,
    trace,
    tril,
    triu,
    # joining and cutting apart
    cat,
    chunk,
    split,
    stack,
    unbind,
    # indexing
    gather,
    index_add,
    index_select,
    masked_select,
    narrow,
    nonzero,
    scatter,
    scatter_add,
    select,
    take,
    # questions
    is_tensor,
    numel,
    # products
    addmm,
    bmm,
    dot,
    einsum,
    matmul,
    mm,
    mv,
    outer,
    # convolutions
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    # activations
    relu,
)
from .printing import set_printoptions  # noqa: E402
from .sampling import (  # noqa: E402
    bernoulli,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
)
from .random import Generator, default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state  # noqa: E402
from .testing import gradcheck, gradgradcheck  # noqa: E402
from .threads import get_num_threads, set_num_threads  # noqa: E402

from . import autograd, backends, cuda, data, metrics, models, nn, optim, utils  # noqa: E402

__version__ = "0.1.0"

vars(autograd).update(gradcheck=gradcheck, gradgradcheck=gradgradcheck)  # PyTorch shows them there as well
