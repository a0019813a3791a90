"""The walk back through the graph: the order of the nodes, and the sums of the gradients on their way.

It knows nodes and leaves by what they offer alone. A node has ``edges``, for each input the node or leaf that it came
from and its shape; ``order``, the number of its making; ``show_hooks(g)``; ``hand_on(g, sums, create_graph)``, which
adds the gradients of its inputs to the sums; and ``free()``. Anything else is a leaf.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from .backend import as_array, is_array

__all__ = ["Sums", "reachable", "unbroadcast", "walk"]

order = attrgetter("order")


class Sums:
    """The sum of the gradients that have arrived so far, for each node and leaf."""

    def __init__(self) -> None:
        self.of: dict[Any, Any] = {}
        self.owned: set[Any] = set()  # whose sum lies in a buffer that nobody else holds, so that it may grow in place

    def add(self, key: Any, g: Any, fresh: bool) -> None:
        """Add g; ``fresh`` says that it is a new array, held by nobody else."""
        old = self.of.get(key)
        if old is None:
            self.of[key] = g
        elif key in self.owned:
            old += g
            return
        else:
            self.of[key] = g = as_array(old + g)
            fresh = is_array(g)  # a sum of Tensors is part of the graph and stays as it is
        if fresh:
            self.owned.add(key)


def walk(sums: Sums, retain_graph: bool, create_graph: bool, wanted: set | None, stop: bool) -> dict:
    """Visit every node that a gradient can reach, each after all nodes that used its result.

    At the end only the sums of the leaves are left in ``sums``. With ``wanted``, only nodes that lead to something
    wanted hand their gradient on, and with ``stop`` nothing behind a wanted node is looked at.

    Returns:
        The sums that arrived at the wanted nodes.
    """
    nodes = reachable(sums.of, wanted if wanted and stop else ())
    leading = None if wanted is None else leading_to(nodes, wanted)
    found: dict[Any, Any] = {}
    while nodes:
        node = nodes.pop()
        g = sums.of.pop(node, None)
        if g is None:
            continue
        g = node.show_hooks(g)
        if wanted is not None and node in wanted:
            found[node] = g if create_graph else g.copy()
        if leading is None or node in leading:
            node.hand_on(g, sums, create_graph)
            if not retain_graph:
                node.free()
    return found


def is_node(thing: Any) -> bool:
    return hasattr(thing, "edges")


def reachable(starts: Iterable[Any], stops: Iterable[Any]) -> list[Any]:
    """All nodes that a gradient can reach from the starts, the oldest first."""
    nodes = [start for start in starts if is_node(start)]
    known = set(nodes)
    for node in nodes:  # the list grows while it is walked
        if node.edges is None:
            raise RuntimeError(
                "backward: the graph was used before and freed (retain_graph=True in the first pass keeps it)"
            )
        if node in stops:
            continue
        for edge in node.edges:
            if edge is not None and edge[0] not in known and is_node(edge[0]):
                known.add(edge[0])
                nodes.append(edge[0])
    nodes.sort(key=order)
    return nodes


def leading_to(nodes: Iterable[Any], targets: set) -> set:
    """The nodes with an edge to a target or to another such node (``nodes`` has the oldest first)."""
    leading: set[Any] = set()
    for node in nodes:
        if any(edge is not None and (edge[0] in targets or edge[0] in leading) for edge in node.edges):
            leading.add(node)
    return leading


def unbroadcast(g: Any, shape: tuple[int, ...], name: str = "unbroadcast") -> Any:
    """Sum g over the dimensions that broadcasting added to ``shape`` or stretched; works on arrays and Tensors.

    If y_ij = x_j for all i, then dL/dx_j = sum_i g_ij: what was copied in the forward pass is summed on the way back.
    """
    added = g.ndim - len(shape)
    if added < 0 or any(length not in (1, g.shape[added + i]) for i, length in enumerate(shape)):
        raise RuntimeError(f"{name}.backward: a gradient of shape {g.shape} was returned for an input of shape {shape}")
    axes = tuple(range(added)) + tuple(
        added + i for i, length in enumerate(shape) if length == 1 and g.shape[added + i] != 1
    )
    if axes:
        g = g.sum(axes)
    return g if g.shape == shape else g.reshape(shape)
