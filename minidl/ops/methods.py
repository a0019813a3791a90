"""The operations that are methods of Tensor as well: the one list of them.

``Tensor`` inherits from this class as far as editors and type checkers can see. At run time ``minidl.ops`` copies the
entries onto Tensor, because operations are made of Functions and Tensors and so cannot come first.
"""

from __future__ import annotations

from typing import Any

from .. import printing
from ..autograd import Tensor
from . import (
    access,
    activation,
    arithmetic,
    comparison,
    conversion,
    diagonals,
    elementwise,
    extrema,
    gathering,
    indexing,
    inplace,
    joining,
    linalg,
    norms,
    piecewise,
    reduction,
    scans,
    shape,
    softmaxes,
    sorting,
    special,
)

__all__ = ["Methods", "attach"]


class Methods:
    """What every Tensor can do; ``self`` is the operation's first argument."""

    __slots__ = ()

    # arithmetic
    add = __add__ = arithmetic.add
    sub = __sub__ = arithmetic.sub
    mul = __mul__ = __rmul__ = arithmetic.mul
    div = __truediv__ = arithmetic.div
    remainder = __mod__ = arithmetic.remainder
    floor_divide = __floordiv__ = arithmetic.floor_divide
    pow = __pow__ = arithmetic.pow
    neg = __neg__ = arithmetic.neg

    def __radd__(self: Any, other: Any) -> Tensor:
        return arithmetic.add(other, self)

    def __rsub__(self: Any, other: Any) -> Tensor:
        return arithmetic.sub(other, self)

    def __rtruediv__(self: Any, other: Any) -> Tensor:
        return arithmetic.div(other, self)

    def __rmod__(self: Any, other: Any) -> Tensor:
        return arithmetic.remainder(other, self)

    def __rfloordiv__(self: Any, other: Any) -> Tensor:
        return arithmetic.floor_divide(other, self)

    def __rpow__(self: Any, other: Any) -> Tensor:
        return arithmetic.pow(other, self)

    # smooth functions
    acos = elementwise.acos
    acosh = elementwise.acosh
    asin = elementwise.asin
    asinh = elementwise.asinh
    atan = elementwise.atan
    atan2 = elementwise.atan2
    atanh = elementwise.atanh
    cos = elementwise.cos
    cosh = elementwise.cosh
    exp = elementwise.exp
    exp2 = elementwise.exp2
    expm1 = elementwise.expm1
    log = elementwise.log
    log1p = elementwise.log1p
    log2 = elementwise.log2
    log10 = elementwise.log10
    reciprocal = elementwise.reciprocal
    rsqrt = elementwise.rsqrt
    sin = elementwise.sin
    sinh = elementwise.sinh
    sqrt = elementwise.sqrt
    square = elementwise.square
    tan = elementwise.tan
    tanh = elementwise.tanh
    erf = special.erf
    sigmoid = activation.sigmoid

    # kinks, steps and choices
    abs = __abs__ = piecewise.abs
    ceil = piecewise.ceil
    clamp = piecewise.clamp
    floor = piecewise.floor
    masked_fill = piecewise.masked_fill
    maximum = piecewise.maximum
    minimum = piecewise.minimum
    round = piecewise.round
    sign = piecewise.sign
    trunc = piecewise.trunc

    def where(self: Any, condition: Tensor, other: Any) -> Tensor:
        """This tensor's elements where the condition is true, those of ``other`` elsewhere."""
        return piecewise.where(condition, self, other)

    # comparisons and logic
    eq = comparison.eq
    ne = comparison.ne
    lt = __lt__ = comparison.lt
    le = __le__ = comparison.le
    gt = __gt__ = comparison.gt
    ge = __ge__ = comparison.ge
    allclose = comparison.allclose
    equal = comparison.equal
    isclose = comparison.isclose
    isfinite = comparison.isfinite
    isinf = comparison.isinf
    isnan = comparison.isnan
    logical_and = comparison.logical_and
    logical_not = comparison.logical_not
    logical_or = comparison.logical_or
    logical_xor = comparison.logical_xor
    bitwise_and = __and__ = __rand__ = comparison.bitwise_and
    bitwise_not = __invert__ = comparison.bitwise_not
    bitwise_or = __or__ = __ror__ = comparison.bitwise_or
    bitwise_xor = __xor__ = __rxor__ = comparison.bitwise_xor
    __eq__ = comparison.equals
    __ne__ = comparison.differs
    __hash__ = object.__hash__  # as a key, a tensor is just itself

    # other dtypes and devices
    to = conversion.to
    cpu = conversion.cpu
    cuda = conversion.cuda
    type_as = conversion.type_as
    half = conversion.half
    float = conversion.single
    double = conversion.double
    int = conversion.integer
    long = conversion.long
    bool = conversion.boolean

    # changes in place
    __iadd__ = inplace.assignment(arithmetic.add, inplace.add_)
    __isub__ = inplace.assignment(arithmetic.sub, inplace.sub_)
    __imul__ = inplace.assignment(arithmetic.mul, inplace.mul_)
    __itruediv__ = inplace.assignment(arithmetic.div, inplace.div_)
    add_ = inplace.add_
    sub_ = inplace.sub_
    mul_ = inplace.mul_
    div_ = inplace.div_
    clamp_ = inplace.clamp_
    copy_ = inplace.copy_
    fill_ = inplace.fill_
    masked_fill_ = inplace.masked_fill_
    normal_ = inplace.normal_
    uniform_ = inplace.uniform_
    zero_ = inplace.zero_
    __setitem__ = inplace.setitem

    # reductions
    sum = reduction.sum
    mean = reduction.mean
    var = reduction.var
    std = reduction.std
    any = reduction.any
    all = reduction.all
    count_nonzero = reduction.count_nonzero
    prod = scans.prod
    cumsum = scans.cumsum
    cumprod = scans.cumprod
    norm = norms.norm
    max = extrema.max
    min = extrema.min
    amax = extrema.amax
    amin = extrema.amin
    argmax = extrema.argmax
    argmin = extrema.argmin
    logsumexp = softmaxes.logsumexp
    softmax = softmaxes.softmax
    log_softmax = softmaxes.log_softmax
    sort = sorting.sort
    argsort = sorting.argsort
    topk = sorting.topk

    # shape
    reshape = shape.reshape
    permute = shape.permute
    transpose = shape.transpose
    swapaxes = shape.swapaxes
    t = shape.t
    broadcast_to = shape.broadcast_to
    clone = shape.clone
    contiguous = shape.contiguous
    expand = shape.expand
    expand_as = shape.expand_as
    flatten = shape.flatten
    flip = shape.flip
    movedim = shape.movedim
    ravel = shape.ravel
    repeat = shape.repeat
    reshape_as = shape.reshape_as
    roll = shape.roll
    squeeze = shape.squeeze
    tile = shape.tile
    unflatten = shape.unflatten
    unfold = shape.unfold
    unsqueeze = shape.unsqueeze
    view = shape.view
    view_as = shape.view_as

    @property
    def T(self: Any) -> Tensor:
        """The transpose of a matrix."""
        return shape.t(self)

    @property
    def mT(self: Any) -> Tensor:
        """The last two dimensions exchanged."""
        return shape.mT(self)

    # joining and cutting apart
    chunk = joining.chunk
    split = joining.split
    unbind = joining.unbind

    # indexing
    __getitem__ = indexing.getitem
    index_select = indexing.index_select
    masked_select = indexing.masked_select
    narrow = indexing.narrow
    nonzero = indexing.nonzero
    select = indexing.select
    take = indexing.take

    gather = gathering.gather
    index_add = gathering.index_add
    scatter = gathering.scatter
    scatter_add = gathering.scatter_add

    # diagonals and triangles
    diag = diagonals.diag
    diagonal = diagonals.diagonal
    trace = diagonals.trace
    tril = diagonals.tril
    triu = diagonals.triu

    # the way out, and Python's protocols
    item = access.item
    tolist = access.tolist
    numpy = access.numpy
    numel = access.numel
    size = access.size
    stride = access.stride
    dim = access.dim
    is_contiguous = access.is_contiguous
    __repr__ = printing.represent
    __array__ = access.as_numpy
    __len__ = access.length
    __iter__ = access.iterate
    __contains__ = access.contains
    __bool__ = access.truth
    __float__ = access.as_float
    __int__ = access.as_int
    __index__ = access.as_index
    __format__ = access.formatted
    __copy__ = access.shallow_copy
    __reduce__ = access.taken_apart

    # products
    matmul = __matmul__ = linalg.matmul
    mm = linalg.mm
    bmm = linalg.bmm
    mv = linalg.mv
    dot = linalg.dot
    outer = linalg.outer
    addmm = linalg.addmm

    # activations
    relu = activation.relu


def attach() -> None:
    """Put every entry of ``Methods`` on Tensor."""
    for name, method in vars(Methods).items():
        if name not in (
            "__module__",
            "__qualname__",
            "__doc__",
            "__slots__",
            "__annotations__",
            "__dict__",
            "__weakref__",
        ):
            setattr(Tensor, name, method)
