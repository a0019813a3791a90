"""A picture of the graph behind a tensor, drawn with matplotlib alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .autograd import Function, Output, Tensor
from .walk import reachable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_graph"]

LARGEST = 200  # nodes; a picture with more of them cannot be read


def draw_graph(output: Tensor, params: Mapping[str, Tensor] | None = None) -> Figure:
    """Draw the operations that ``output`` was made by, from the leaves on the left to the output on the right.

    Args:
        output: a tensor that requires a gradient, before a backward pass has freed its graph.
        params: names for leaves, such as ``dict(model.named_parameters())``.

    Returns:
        A matplotlib figure; ``figure.savefig("graph.svg")`` writes it in the format that the suffix names.

    Raises:
        RuntimeError: if there is no graph.
        ValueError: if the graph has more than 200 nodes.
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"draw_graph: output must be a Tensor, not {type(output).__name__}")
    if output.grad_fn is None:
        raise RuntimeError("draw_graph: no operation that was recorded made this tensor")
    nodes, edges = collect(output.grad_fn)
    if len(nodes) > LARGEST:
        raise ValueError(f"draw_graph: the graph has {len(nodes)} nodes; at most {LARGEST} can be drawn")
    names = {tensor: name for name, tensor in (params or {}).items()}
    labels = {node: label(node, names) for node in nodes}
    return paint(place(nodes, edges), edges, labels, output)


def collect(last: Function) -> tuple[list[Any], list[tuple[Any, Any]]]:
    """Every node and every leaf (the oldest first, leaves before all nodes), and the edges between them."""
    functions = reachable([last], ())
    edges = [(edge[0], node) for node in functions for edge in node.edges or () if edge is not None]
    leaves = dict.fromkeys(start for start, _ in edges if isinstance(start, Tensor))
    return [*leaves, *functions], edges


def label(node: Any, names: Mapping[Tensor, str]) -> str:
    if isinstance(node, Tensor):
        shape = tuple(node.shape)
        return f"{names[node]}\n{shape}" if node in names else f"leaf\n{shape}"
    if type(node) is Output:
        return f"output {node.index}"
    return type(node).__name__


def place(nodes: list[Any], edges: list[tuple[Any, Any]]) -> dict[Any, tuple[float, float]]:
    """A position for each node: its column is the longest way to the result, its row near those of its neighbours."""
    before: dict[Any, list[Any]] = {node: [] for node in nodes}
    after: dict[Any, list[Any]] = {node: [] for node in nodes}
    for start, end in edges:
        before[end].append(start)
        after[start].append(end)
    column: dict[Any, int] = {}
    for node in reversed(nodes):  # the newest first: everything behind it has its column
        column[node] = min((column[a] for a in after[node]), default=0) - 1
    columns: dict[int, list[Any]] = {}
    for node in nodes:
        columns.setdefault(column[node], []).append(node)
    row = {node: float(i) for members in columns.values() for i, node in enumerate(members)}
    for _ in range(8):  # each round sorts every column by the mean row of the neighbours
        for members in columns.values():
            mean = {n: mean_row([*before[n], *after[n]], row, row[n]) for n in members}
            members.sort(key=mean.__getitem__)
            middle = sum(mean.values()) / len(members)
            for i, node in enumerate(members):
                row[node] = middle + i - (len(members) - 1) / 2
    return {node: (float(column[node]), -row[node]) for node in nodes}


def mean_row(neighbours: list[Any], row: Mapping[Any, float], otherwise: float) -> float:
    return sum(row[n] for n in neighbours) / len(neighbours) if neighbours else otherwise


def paint(
    places: Mapping[Any, tuple[float, float]],
    edges: list[tuple[Any, Any]],
    labels: Mapping[Any, str],
    output: Tensor,
) -> Figure:
    from matplotlib.figure import Figure

    across = [x for x, _ in places.values()]
    down = [y for _, y in places.values()]
    figure = Figure(figsize=(1.9 * (max(across) - min(across) + 2), 1.0 * (max(down) - min(down) + 1.5)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(min(across) - 0.6, max(across) + 1.4), ylim=(min(down) - 0.75, max(down) + 0.75))
    axes.axis("off")
    arrow = dict(arrowstyle="-|>", color="0.35", shrinkA=0, shrinkB=1, mutation_scale=12)

    def box(where: tuple[float, float], text: str, colour: str) -> Any:
        style = dict(boxstyle="round,pad=0.35", facecolor=colour, edgecolor="0.35")
        return axes.text(*where, text, ha="center", va="center", fontsize=10, bbox=style, zorder=1)

    drawn = {
        node: box(places[node], labels[node], "#dbe9f6" if isinstance(node, Tensor) else "#fdebd0") for node in places
    }
    last = output.grad_fn
    end = (places[last][0] + 1, places[last][1])
    result = box(end, f"result\n{tuple(output.shape)}", "#dff0d8")
    for start, node in [*edges, (last, None)]:
        source, target = drawn[start], result if node is None else drawn[node]
        axes.annotate(
            "",
            xy=target.get_position(),
            xytext=source.get_position(),
            arrowprops=dict(arrow, patchA=source.get_bbox_patch(), patchB=target.get_bbox_patch()),
            zorder=2,  # after the boxes, which learn their size when they are drawn: the arrows end at their borders
        )
    return figure
