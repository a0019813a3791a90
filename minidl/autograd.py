"""Automatic differentiation: Tensor, Function, the graph between them, and the walk back through it.

A ``Tensor`` is an array that knows which operation made it. An operation is a ``Function``: ``forward`` computes the
result from arrays, ``backward`` turns the gradient of the result into the gradients of the inputs. ``apply`` runs
forward and notes on the Function where its inputs came from; these notes are the graph. ``run_backward`` walks it once
(``walk.py``) from the result to the leaves, every node after all nodes that used its result, and sums what arrives: the
chain rule.

For y = f(x) and a scalar loss L, backward gets g = dL/dy (shape of y) and returns dL/dx = J^T g (shape of x), where
J = dy/dx. J itself is never built. In an ordinary backward pass g and all that was saved are plain arrays. With
``create_graph=True`` the SAME lines of backward run on Tensors, so that what they compute can be differentiated again.

Three rules keep the gradients right:

* Graph nodes point to graph nodes, not to Tensors, so only what backward will need stays in memory.
* A tensor counts its changes in place (``version``, shared with all views of the same memory). A backward that needs
  an old value which has since been overwritten raises an error instead of returning a wrong gradient.
* A sum of gradients is built in place only in a buffer that the walk itself made.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from . import backend
from .backend import Array, as_array, check_one_device, device_of, is_array, namespace
from .grad_mode import recording
from .walk import Sums, unbroadcast, walk

if TYPE_CHECKING:
    from .ops.methods import Methods  # the operations that are methods of Tensor as well, for editors and type checkers
else:

    class Methods:  # at run time minidl.ops puts them on Tensor, since operations are made of Functions and Tensors
        __slots__ = ()


__all__ = ["Function", "Tensor", "grad"]


# --- Tensor ------------------------------------------------------------------------------------------------------


class Tensor(Methods):
    """An array together with the operation that made it.

    Make one with ``minidl.tensor(data)``, ``zeros(...)``, ``from_numpy(array)`` and the like; the constructor itself
    wraps an array without copying it.

    Attributes:
        array: the values, a NumPy or CuPy array.
        grad_fn: the Function that made the tensor; None for a leaf (a tensor that no recorded operation made).
    """

    __slots__ = ("array", "_requires_grad", "_grad", "grad_fn", "version", "hooks", "__weakref__")
    __array_ufunc__ = None  # numpy_array * tensor is left to Tensor.__rmul__
    __hash__ = object.__hash__  # == compares element by element; as a key, a tensor is just itself

    _grad: Tensor | None

    def __init__(
        self,
        array: Array,
        requires_grad: bool = False,
        grad_fn: Function | None = None,
        version: list[int] | None = None,
    ) -> None:
        if not is_array(array):
            raise TypeError(f"Tensor: wraps an array, not {type(array).__name__} (minidl.tensor(data) makes a tensor)")
        self.array = array
        self._requires_grad = requires_grad
        self._grad = self.hooks = None
        self.grad_fn = grad_fn
        self.version = [0] if version is None else version  # a list, so that views can share the count
        if requires_grad and grad_fn is None:
            self._refuse_integer_leaf()

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements: ``minidl.float32`` and so on (NumPy's dtype objects)."""
        return self.array.dtype

    @property
    def device(self) -> backend.device:
        """Where the values lie: ``device("cpu")`` or ``device("cuda:0")``."""
        return device_of(self.array)

    @property
    def is_leaf(self) -> bool:
        """True for a tensor that no recorded operation made; only leaves collect ``grad`` by themselves."""
        return self.grad_fn is None

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded; may be set on a leaf."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self.grad_fn is not None and not value:
            raise RuntimeError("requires_grad: only a leaf can be told to need no gradient; detach() gives one")
        self._requires_grad = bool(value)
        if value:
            self._refuse_integer_leaf()

    def _refuse_integer_leaf(self) -> None:
        if self.array.dtype.kind != "f":
            self._requires_grad = False
            raise RuntimeError(f"requires_grad: only floating-point tensors can require a gradient, not {self.dtype}")

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set ``requires_grad`` and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    # The values without the graph

    def detach(self) -> Tensor:
        """The same memory as a tensor outside the graph (it shares the count of changes in place)."""
        return Tensor(self.array.view(), version=self.version)  # saved arrays are known by identity: a new object

    @property
    def data(self) -> Tensor:
        """The same memory outside the graph AND outside the guard against changes in place. ``detach()`` is safer."""
        return Tensor(self.array.view())

    @data.setter
    def data(self, other: Tensor) -> None:
        if not isinstance(other, Tensor):
            raise TypeError(f"data: a Tensor is needed, not {type(other).__name__}")
        if self._requires_grad and other.array.dtype.kind != "f":
            raise RuntimeError(f"data: the tensor requires a gradient, which one of {other.dtype} cannot")
        self.array = other.array.view()

    # Gradients

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have summed up, for a leaf; None before the first. It may be set."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            check_new_grad(self, value)
        self._grad = value

    def backward(
        self, gradient: Tensor | None = None, retain_graph: bool | None = None, create_graph: bool = False
    ) -> None:
        """Add dL/dx to ``x.grad`` for every leaf x that this tensor, L, was computed from.

        Args:
            gradient: dL/dself, of the tensor's shape; needed unless the tensor has exactly one element (then it is 1).
            retain_graph: keep what was saved, for another backward pass; as ``create_graph`` unless given.
            create_graph: record the backward pass itself, so that gradients can be differentiated again.

        Raises:
            RuntimeError: if nothing here requires a gradient, if ``gradient`` is missing or does not fit, if the graph
                was used before, or if a value that is needed was changed in place.
        """
        gradient = first_gradient("backward", self, gradient)
        run_backward([self], [gradient], create_graph if retain_graph is None else retain_graph, create_graph)

    def retain_grad(self) -> None:
        """Let a tensor that is no leaf keep its gradient in ``grad`` too."""
        if not self._requires_grad:
            raise RuntimeError("retain_grad: the tensor does not require a gradient")
        if self.grad_fn is None:
            return
        reference = weakref.ref(self)  # a strong one would close a circle: tensor, node, hook, tensor

        def keep(g: Tensor) -> None:
            tensor = reference()
            if tensor is not None:
                accumulate(tensor, g if g.grad_fn is not None else g.array, False)

        self.register_hook(keep)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Removable:
        """Call ``hook(g)`` with the gradient of this tensor once a backward pass has summed it up.

        What the hook returns replaces the gradient, unless it is None. The hook must not change g in place.

        Returns:
            A handle; ``handle.remove()`` takes the hook away again.
        """
        if not self._requires_grad:
            raise RuntimeError("register_hook: the tensor does not require a gradient")
        if not callable(hook):
            raise TypeError(f"register_hook: the hook must be a function, not {type(hook).__name__}")
        owner = self if self.grad_fn is None else self.grad_fn
        if owner.hooks is None:
            owner.hooks = {}
        key = object()
        owner.hooks[key] = hook
        return Removable(owner.hooks, key)

    def __deepcopy__(self, memo: dict) -> Tensor:
        if self.grad_fn is not None:
            raise RuntimeError("deepcopy: only leaves can be copied with their graph; use clone() or detach()")
        copy = type(self).__new__(type(self))
        Tensor.__init__(copy, self.array.copy(), self._requires_grad)
        if self.grad is not None:
            copy.grad = Tensor(self.grad.array.copy())
        memo[id(self)] = copy
        return copy


class Removable:
    """Takes a hook out of the dictionary that it was registered in."""

    def __init__(self, hooks: dict, key: object) -> None:
        self.hooks = hooks
        self.key = key

    def remove(self) -> None:
        """Take the hook away; does nothing the second time."""
        self.hooks.pop(self.key, None)


# --- Function ----------------------------------------------------------------------------------------------------


_tick = count()  # numbers the nodes: inputs exist before outputs, so this order is a topological one


class Function:
    """One operation and, once it is applied, one node of the graph.

    A subclass takes its settings (a dimension, a shape) in ``__init__``, computes in ``forward``, keeps in
    ``self.saved`` the arrays that ``backward`` will need, and differentiates in ``backward``::

        class Mul(Function):
            def forward(self, x, y):
                self.saved = x, y
                return x * y

            def backward(self, g):  # dL/dx = g * y, dL/dy = g * x
                x, y = self.saved
                return g * y, g * x

        z = Mul().apply(x, y)

    Both see arrays. ``backward`` also runs on Tensors (``create_graph=True``), so it keeps to the words that both
    understand: operators, indexing, ``.shape``, ``.sum(axes)``, ``.reshape``, ``.swapaxes``, ``.mT`` and
    ``m.name(...)`` from ``minidl.ops.vocabulary``. It returns one gradient an input (None where none is needed); each
    a new array, g itself or a view of g, and never changes g. Sums over broadcast dimensions are done by the engine.

    What is saved must be an input, the output (``saves_output = True``), or no floating-point array at all (a mask, an
    index): anything else would count as a constant when backward is differentiated. A fused operation that does save
    such an array has a ``composed`` method, the same formula in small operations on Tensors, and that is
    differentiated instead.

    ``forward`` may return a tuple of arrays; ``backward`` then gets a list with one gradient an output.
    """

    saved: tuple = ()
    saves_output = False
    is_view = False  # the result lies in the memory of the first input
    composed: Callable | None = None
    hooks: dict | None = None
    edges: Any = None  # for each input (the leaf Tensor or the Function that made it, its shape), or None
    order: int  # of creation
    dtype: np.dtype | None  # of the output; None if there are several
    ids: list[int]  # of the input arrays, to recognise those that were saved
    seen: list[Any]  # for each input, and a saved output, (its count of changes in place, the count then), or None
    inputs: Any  # the input arrays, for the composed twin

    def forward(self, *arrays: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, g: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def apply(self, *inputs: Any) -> Any:
        """Compute the result as a Tensor (or a tuple of them) and record the node if an input requires a gradient."""
        arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
        if backend.several:
            check_one_device(type(self).__name__, arrays)
        recorded = recording.on and self._connect(inputs)  # before forward, which may ask needs_grad what to save
        try:
            result = self.forward(*arrays)
        except MemoryError:
            shapes = ", ".join(str(array.shape) for array in arrays if is_array(array))
            raise MemoryError(f"{type(self).__name__}: not enough memory (inputs of shapes {shapes})") from None
        version = inputs[0].version if self.is_view else None
        if not recorded:
            self.saved = ()
            if type(result) is tuple:
                return tuple(Tensor(as_array(part), False, None, version) for part in result)
            return Tensor(as_array(result), False, None, version)
        if self.saved or self.composed is not None:
            self._note_saved(inputs, arrays)
        if type(result) is tuple:
            return self._make_outputs(result, version)
        result = as_array(result)
        self.dtype = result.dtype
        output = Tensor(result, True, self, version)
        if self.saves_output:
            self.seen.append((output.version, output.version[0]))
        return output

    def _connect(self, inputs: Sequence[Any]) -> bool:
        """Note the edges to the inputs; False if none of them requires a gradient."""
        edges = [
            (x.grad_fn or x, x.array.shape) if isinstance(x, Tensor) and x._requires_grad else None for x in inputs
        ]
        for edge in edges:
            if edge is not None:
                break
        else:
            return False
        if self.edges is not None:
            raise RuntimeError(
                f"{type(self).__name__}: a Function is one node of the graph; make a new one to apply it again"
            )
        self.edges = edges
        self.order = next(_tick)
        return True

    def _note_saved(self, inputs: Sequence[Any], arrays: list[Array]) -> None:
        """Note how to recognise the inputs among what was saved, and how to tell that they were changed."""
        self.ids = list(map(id, arrays))
        self.seen = [(x.version, x.version[0]) if isinstance(x, Tensor) else None for x in inputs]
        if self.composed is not None:
            self.inputs = arrays

    def _make_outputs(self, results: tuple, version: list[int] | None) -> tuple[Tensor, ...]:
        results = tuple(map(as_array, results))
        self.dtype = None  # every output has its own
        self.outputs = [(result.shape, result.dtype) for result in results]
        return tuple(
            Tensor(result, True, Output(self, i), version) if result.dtype.kind == "f" else Tensor(result)
            for i, result in enumerate(results)
        )

    def needs_grad(self, i: int) -> bool:
        """Whether the gradient of input i will be used: else forward need not save for it, nor backward compute it."""
        return self.edges is not None and self.edges[i] is not None

    # The backward pass, on arrays and on Tensors

    def hand_on(self, g: Any, sums: Sums, create_graph: bool) -> None:
        """One step of the walk: from the gradient of the output to those of the inputs, each added where it belongs."""
        if self.dtype is None:
            g = self._complete(g)
        elif g.dtype != self.dtype:
            raise RuntimeError(f"{type(self).__name__}: the gradient is {g.dtype}, the output {self.dtype}")
        for edge, g_input in zip(self.edges, self.gradients(g, create_graph)):
            if edge is None or g_input is None:
                continue
            link, shape = edge
            if create_graph and not isinstance(g_input, Tensor):
                raise RuntimeError(
                    f"{type(self).__name__}.backward: only Tensors can be differentiated again, not arrays"
                )
            if g_input.shape != shape:
                g_input = unbroadcast(g_input, shape, type(self).__name__)
            if create_graph:
                sums.add(link, g_input, False)
                continue
            if type(g_input) is not np.ndarray:
                g_input = as_array(g_input)
            fresh = not any(g_input is part for part in g) if type(g) is list else g_input is not g
            sums.add(link, g_input, fresh and (g_input.base is None or is_whole(g_input, g)))

    def gradients(self, g: Any, create_graph: bool) -> tuple:
        """Check that nothing which is needed was changed, then run backward: one gradient an input."""
        if self.saved:
            self._check_versions()
        found = self._differentiable(g) if create_graph else self.backward(g)
        if type(found) is not tuple:
            found = (found,)
        if len(found) != len(self.edges):
            name = type(self).__name__
            raise RuntimeError(f"{name}.backward: {len(found)} gradients were returned for {len(self.edges)} inputs")
        return found

    def _complete(self, places: list) -> list:
        """The gradients of several outputs, with zeros for the outputs that were not used."""
        present = next(g for g in places if g is not None)
        zeros = namespace(present.array if isinstance(present, Tensor) else present).zeros
        made = [zeros(*output) if g is None else g for g, output in zip(places, self.outputs, strict=True)]
        return [Tensor(g) if isinstance(present, Tensor) and not isinstance(g, Tensor) else g for g in made]

    def _check_versions(self, every_input: bool = False) -> None:
        for i, seen in enumerate(self.seen):
            if seen is None or seen[0][0] == seen[1]:
                continue
            is_output = i == len(self.ids)
            if is_output or every_input or any(id(array) == self.ids[i] for array in self.saved):
                what = "its output" if is_output else f"its input {i}"
                raise RuntimeError(
                    f"backward: {type(self).__name__} needs {what} as it was in the forward pass, but it was changed "
                    f"in place since then"
                )

    def _differentiable(self, g: Any) -> Any:
        """backward(g) as operations on Tensors: every saved array becomes the input or the output that it was."""
        arrays = self.saved
        tensors = []
        for array in arrays:
            if id(array) in self.ids:
                array = self._input(self.ids.index(id(array)), array)
            elif hasattr(array, "dtype"):
                constant = array.dtype.kind != "f"
                if not constant and (self.composed is not None or not self.saves_output):
                    return self._through_composed(g)
                array = as_array(array)
                array = Tensor(array) if constant else Tensor(array, True, self, self.seen[-1][0])
            tensors.append(array)
        self.saved = tuple(tensors)
        try:
            return self.backward(g)
        finally:
            self.saved = arrays

    def _input(self, i: int, array: Array) -> Any:
        """Input i again, as a Tensor in its place of the graph."""
        if not is_array(array):
            return array
        edge, seen = self.edges[i], self.seen[i]
        if edge is None:
            return Tensor(array, version=seen and seen[0])
        link = edge[0]
        if not isinstance(link, Tensor):
            return Tensor(array, True, link, seen[0])
        if link.array is not array:
            raise RuntimeError(
                f"backward: {type(self).__name__} needs its input {i} as it was in the forward pass, but its data was "
                f"replaced since then"
            )
        return link

    def _through_composed(self, g: Any) -> tuple:
        """The gradients of the composed twin: the same formula in operations that can all be differentiated."""
        if self.composed is None:
            raise RuntimeError(
                f"{type(self).__name__} saves an array that is neither input nor output: it needs a twin"
            )
        self._check_versions(every_input=True)
        # Each input gets a name of its own, since the same tensor may be several inputs, whose gradients stay apart.
        inputs = [self._input(i, array) for i, array in enumerate(self.inputs)]
        aliases = [Alias().apply(x) if isinstance(x, Tensor) and x._requires_grad else x for x in inputs]
        targets = [x.grad_fn for x in aliases if isinstance(x, Tensor) and x._requires_grad]
        outputs = self.composed(*aliases)
        if isinstance(outputs, Tensor):
            outputs, g = [outputs], [g]
        kept = [(y, gy) for y, gy in zip(outputs, g, strict=True) if y._requires_grad]
        found = run_backward([y for y, _ in kept], [gy for _, gy in kept], True, True, targets, stop=True)
        return tuple(found.get(x.grad_fn) if isinstance(x, Tensor) and x._requires_grad else None for x in aliases)

    def show_hooks(self, g: Any) -> Any:
        """The gradient of the output after the hooks have seen it, and perhaps replaced it."""
        return run_hooks(self.hooks, g) if self.hooks else g

    def free(self) -> None:
        """Let go of everything that only this backward pass needed."""
        self.edges = None
        self.saved = ()
        if self.composed is not None:
            self.inputs = None


class Output(Function):
    """One of several outputs of a Function: collects its gradient and puts it in its place of the Function's list."""

    def __init__(self, function: Function, index: int) -> None:
        self.function = function
        self.index = index
        self.edges = [(function, None)]
        self.order = next(_tick)

    def hand_on(self, g: Any, sums: Sums, create_graph: bool) -> None:
        places = sums.of.setdefault(self.function, [None] * len(self.function.outputs))
        places[self.index] = g


def is_whole(x: Array, g: Any) -> bool:
    """Whether x is a whole new array in another form, such as its transpose, and no view of g: nobody else holds it."""
    whole = x.base
    if type(whole) is not np.ndarray or type(g) is not np.ndarray or whole is g or whole is g.base:
        return False
    return whole.size == x.size and whole.flags.owndata and x.flags.writeable


class Alias(Function):
    """y = x, the same memory under another name; dL/dx = g."""

    is_view = True

    def forward(self, x: Array) -> Array:
        return x.view()

    def backward(self, g: Any) -> Any:
        return g


class Copy(Function):
    """y = x in memory of its own; dL/dx = g."""

    def forward(self, x: Array) -> Array:
        return x.copy()

    def backward(self, g: Any) -> Any:
        return g


# --- from a tensor to its leaves --------------------------------------------------------------------------------------


@np.errstate(over="ignore", invalid="ignore")  # NumPy warns of sums from lines of its own
def run_backward(
    roots: Sequence[Tensor],
    gradients: Sequence[Tensor],
    retain_graph: bool,
    create_graph: bool,
    targets: Iterable[Any] | None = None,
    stop: bool = False,
) -> dict:
    """Walk from the roots to the leaves (``walk.py``) and sum dL/d(node) at every node.

    Without targets the sums are added to the ``grad`` of the leaves, at the very end: a pass that fails or is
    interrupted leaves every ``grad`` as it was. With targets (leaves or nodes) nothing is stored; their sums are
    returned, as arrays, or as Tensors with ``create_graph``, and only nodes that lead to a target are visited. With
    ``stop`` the walk does not look beyond the targets.
    """
    wanted = None if targets is None else set(targets)
    sums = Sums()
    for root, g in zip(roots, gradients, strict=True):
        sums.add(root.grad_fn or root, g if create_graph else g.array, False)
    previous, recording.on = recording.on, create_graph
    try:
        found = walk(sums, retain_graph, create_graph, wanted, stop)
        for leaf, g in sums.of.items():
            if wanted is None or leaf in wanted:
                found[leaf] = finish(leaf, g, leaf in sums.owned or create_graph)
        if wanted is None:
            found = {leaf: g for leaf, g in found.items() if leaf._requires_grad}  # it may have been taken back
            for leaf in found:
                check_grad(leaf)
            for leaf, g in found.items():
                accumulate(leaf, g, True)
    finally:
        recording.on = previous
    return found


def finish(leaf: Tensor, g: Any, owned: bool) -> Any:
    """The sum that has arrived at a leaf: shown to its hooks, checked, in memory of its own."""
    if leaf.hooks:
        g = run_hooks(leaf.hooks, g)
        owned = isinstance(g, Tensor)  # a hook may have kept the array
    if g.dtype != leaf.array.dtype:
        raise RuntimeError(f"backward: a gradient of {g.dtype} arrived at a leaf of {leaf.array.dtype}")
    if g.shape != leaf.array.shape:  # only new data can have changed it
        raise RuntimeError(f"backward: a gradient of shape {g.shape} arrived at a leaf of shape {leaf.shape}")
    return g if owned else g.copy()


def check_new_grad(tensor: Tensor, grad: Any) -> None:
    """What is put into ``grad`` must be something that gradients can be added to, and an optimiser can use."""
    if not isinstance(grad, Tensor):
        raise TypeError(f"grad: a Tensor or None is needed, not {type(grad).__name__}")
    if grad is tensor:
        raise RuntimeError("grad: a tensor cannot be its own gradient")
    for what, theirs, ours in (("shape", grad.shape, tensor.shape), ("dtype", grad.dtype, tensor.dtype)):
        if theirs != ours:
            raise RuntimeError(f"grad: the gradient has {what} {theirs}, but the tensor has {what} {ours}")
    check_one_device("grad", [grad.array, tensor.array])
    if not backend.can_be_written(grad.array):
        raise RuntimeError("grad: the memory of the gradient cannot be written to; clone() it first")


def check_grad(leaf: Tensor) -> None:
    """The shape of ``grad`` fits unless the tensor got new data since."""
    if leaf._grad is not None and leaf._grad.shape != leaf.shape:
        raise RuntimeError(f"backward: grad has shape {leaf._grad.shape}, but the tensor has shape {leaf.shape}")


def accumulate(leaf: Tensor, g: Any, owned: bool) -> None:
    """leaf.grad += g. The buffer becomes the leaf's own if it is ``owned``; otherwise it is copied."""
    old = leaf._grad
    if isinstance(g, Tensor):  # create_graph: the sum is part of the graph, and the same g may go to several leaves
        leaf._grad = Copy().apply(g) if old is None else old + g
    elif old is None:
        leaf._grad = Tensor(g if owned else g.copy())
    elif old._requires_grad:
        leaf._grad = Tensor(as_array(old.array + g))
    else:
        old.array += g
        old.version[0] += 1


def run_hooks(hooks: dict, g: Any) -> Any:
    """Show the gradient, as a Tensor, to each hook in turn; what a hook returns takes its place."""
    was_tensor = isinstance(g, Tensor)
    tensor = g if was_tensor else Tensor(g)
    for hook in list(hooks.values()):
        replaced = hook(tensor)
        if replaced is not None:
            if not isinstance(replaced, Tensor) or replaced.shape != tensor.shape:
                raise RuntimeError(f"register_hook: a hook must return None or a Tensor of shape {tensor.shape}")
            tensor = replaced
    return tensor if was_tensor else tensor.array


# --- entry points ------------------------------------------------------------------------------------------------


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients d(outputs)/d(inputs), without touching any ``grad``; as ``torch.autograd.grad``.

    Args:
        outputs: one tensor or several; several are summed, each weighted by its entry in ``grad_outputs``.
        inputs: tensors, leaves or not, to differentiate with respect to.
        grad_outputs: dL/d(output) for each output; may be left out (or be None) for an output with one element.
        retain_graph, create_graph: as in ``Tensor.backward``.
        allow_unused: return None for an input that no output depends on, instead of raising.

    Returns:
        One gradient an input, of its shape and dtype.

    Raises:
        RuntimeError: as ``Tensor.backward``, and for an unused input.
    """
    outputs, inputs = listed("outputs", outputs), listed("inputs", inputs)
    if grad_outputs is None or isinstance(grad_outputs, Tensor):
        grad_outputs = [grad_outputs] * len(outputs) if grad_outputs is None else [grad_outputs]
    if len(grad_outputs) != len(outputs):
        raise ValueError(f"grad: {len(outputs)} outputs, but {len(grad_outputs)} grad_outputs")
    for i, x in enumerate(inputs):
        if not isinstance(x, Tensor):
            raise TypeError(f"grad: input {i} is {type(x).__name__}, not a Tensor")
        if not x._requires_grad:
            raise RuntimeError(f"grad: input {i} does not require a gradient")
    gradients = [first_gradient("grad", y, g) for y, g in zip(outputs, grad_outputs, strict=True)]
    keys = [x.grad_fn or x for x in inputs]
    retain_graph = create_graph if retain_graph is None else retain_graph
    found = run_backward(outputs, gradients, retain_graph, create_graph, keys)
    for i, key in enumerate(keys):
        if key not in found and not allow_unused:
            raise RuntimeError(f"grad: the outputs do not depend on input {i} (allow_unused=True gives None for it)")
    results: list[Tensor | None] = []
    given = set()
    for key in keys:
        g = found.get(key)
        if g is not None and not isinstance(g, Tensor):
            g = Tensor(g.copy() if key in given else g)  # an input may be named twice
        given.add(key)
        results.append(g)
    return tuple(results)


def listed(name: str, tensors: Any) -> list[Tensor]:
    """One Tensor or several, as a list."""
    if isinstance(tensors, Tensor):
        return [tensors]
    if not isinstance(tensors, Iterable):
        raise TypeError(f"grad: {name} must be a Tensor or several, not {type(tensors).__name__}")
    found = list(tensors)
    if not found:
        raise ValueError(f"grad: {name} must name at least one Tensor")
    return found


def first_gradient(caller: str, output: Tensor, gradient: Tensor | None) -> Tensor:
    """The gradient that a backward pass starts with, checked."""
    if not isinstance(output, Tensor):
        raise TypeError(f"{caller}: a Tensor is needed, not {type(output).__name__}")
    if not output._requires_grad:
        raise RuntimeError(f"{caller}: the tensor does not require a gradient, and nothing that it was made of does")
    if gradient is None:
        if output.array.size != 1:
            raise RuntimeError(
                f"{caller}: a gradient must be given for a tensor of shape {output.shape} (not a scalar)"
            )
        return Tensor(namespace(output.array).ones_like(output.array))
    if not isinstance(gradient, Tensor):
        raise TypeError(f"{caller}: gradient must be a Tensor, not {type(gradient).__name__}")
    if gradient.shape != output.shape:
        raise RuntimeError(f"{caller}: gradient has shape {gradient.shape}, but the tensor has shape {output.shape}")
    if gradient.dtype != output.dtype:
        raise RuntimeError(f"{caller}: gradient is {gradient.dtype}, but the tensor is {output.dtype}")
    check_one_device(caller, [gradient.array, output.array])
    return gradient
