"""The picture of a graph."""

import re

import pytest

import minidl
from minidl.drawing import collect, draw_graph, place


def small_graph():
    x = minidl.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    return x, (y + y).sum()


def test_every_operation_and_leaf_is_in_the_svg(tmp_path):
    x, result = small_graph()
    draw_graph(result, {"x": x}).savefig(tmp_path / "graph.svg")
    text = (tmp_path / "graph.svg").read_text(encoding="utf-8")
    comments = re.findall(r"<!-- (.+?) -->", text)
    assert {"Mul", "Add", "Sum", "x", "result"} <= set(comments)


def test_arrows_point_from_the_leaves_to_the_result():
    _, result = small_graph()
    nodes, edges = collect(result.grad_fn)
    places = place(nodes, edges)
    assert len(edges) == 5
    assert all(places[start][0] < places[end][0] for start, end in edges)
    assert len(set(places.values())) == len(nodes)


def test_no_box_hides_the_head_of_an_arrow():
    """A box learns its size when it is drawn, so it comes before the arrows that end at its border, at any dpi."""
    texts = draw_graph(small_graph()[1]).axes[0].texts
    boxes = [text.get_zorder() for text in texts if text.get_bbox_patch()]
    arrows = [text.get_zorder() for text in texts if hasattr(text, "arrow_patch")]
    assert len(arrows) == 6
    assert max(boxes) < min(arrows)


def test_png(tmp_path):
    draw_graph(small_graph()[1]).savefig(tmp_path / "graph.png")
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")


def test_bad_input():
    with pytest.raises(TypeError, match=r"^draw_graph: output must be a Tensor, not int$"):
        draw_graph(3)
    with pytest.raises(RuntimeError, match=r"^draw_graph: no operation that was recorded made this tensor$"):
        draw_graph(minidl.tensor(1.0, requires_grad=True))
    x = y = minidl.tensor(1.0, requires_grad=True)
    for _ in range(201):
        y = y + x
    with pytest.raises(ValueError, match=r"^draw_graph: the graph has 202 nodes; at most 200 can be drawn$"):
        draw_graph(y)
    result = small_graph()[1]
    result.backward()
    with pytest.raises(RuntimeError, match="freed"):
        draw_graph(result)
