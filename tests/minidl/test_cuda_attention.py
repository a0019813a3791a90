"""Attention goes from the engine to the kernels for GPUs and back, wherever they can compute it."""

import re

import numpy as np
import pytest
from simulated import assert_same, pairs, simulated_gpu

import minidl
import minidl.nn.functional as F

SETTINGS = minidl.backends.cuda


@pytest.fixture(autouse=True)
def gpu(monkeypatch):
    with simulated_gpu(monkeypatch) as simulator:
        yield simulator


MASKS = {
    "none": None,
    "bool": np.array([[True, False, True, True, False]] * 2 + [[False] * 5] + [[True] * 5]),
    "numbers": np.linspace(-2, 2, 20, dtype=np.float32).reshape(4, 5),
}


@pytest.mark.parametrize(
    ("q", "k", "options"),
    [
        ((2, 3, 4, 8), (2, 3, 5, 8), {"mask": "none"}),
        ((2, 3, 4, 8), (2, 3, 5, 8), {"mask": "bool"}),
        ((2, 3, 4, 8), (2, 3, 5, 8), {"mask": "numbers", "scale": 0.5}),
        ((2, 4, 6, 8), (2, 2, 6, 8), {"is_causal": True, "enable_gqa": True}),
        ((3, 4, 8), (3, 5, 8), {"is_causal": True}),
        ((4, 8), (5, 8), {"mask": "bool"}),
        ((1, 2, 3, 4, 8), (1, 2, 3, 5, 8), {}),
    ],
)
def test_attention_and_its_gradients_go_to_the_kernels(gpu, q, k, options):
    options = dict(options)
    mask = MASKS[options.pop("mask", "none")]
    results = []
    for device, inputs in zip(("cpu", "strict"), pairs(q, k, (*k[:-1], 6)), strict=True):
        given = None if mask is None else minidl.tensor(mask, device=device)
        y = F.scaled_dot_product_attention(*inputs, given, **options)
        (y * y).sum().backward()
        results.append([y, *(x.grad for x in inputs)])
    for ours, theirs in zip(*results, strict=True):
        assert_same(theirs, ours, 1e-4)
    assert len(gpu.reports) >= 4, "a forward kernel and three on the way back"


def attention_of(inputs, **options):
    return F.scaled_dot_product_attention(*inputs, **options)


def test_the_twin_of_the_kernels_is_the_composed_form(gpu):
    """Gradients that are to be differentiated again come from the small operations, with fewer heads of keys too."""
    found = []
    for inputs in pairs((1, 4, 3, 8), (1, 2, 5, 8), (1, 2, 5, 8)):
        y = attention_of(inputs, enable_gqa=True, is_causal=True)
        first = minidl.grad((y * y).sum(), inputs, create_graph=True)
        second = minidl.grad(sum((g * g).sum() for g in first), inputs)
        found.append([*first, *second])
    for ours, theirs in zip(*found, strict=True):
        assert_same(theirs, ours, 2e-4)


@pytest.mark.parametrize("case", ["switched off", "dropout", "float64", "wide", "broadcast", "gradient of the mask"])
def test_what_the_kernels_cannot_do_is_done_in_small_operations(gpu, case):
    if case == "switched off":
        SETTINGS.enable_flash_sdp(False)
        assert not SETTINGS.flash_sdp_enabled()
    shape = (2, 3, 4, 136 if case == "wide" else 8)
    other = (1, 3, 4, 8) if case == "broadcast" else shape
    here, there = pairs(shape, other, other, (4, 4), dtype=np.float64 if case == "float64" else np.float32)
    results = []
    for *inputs, mask in (here, there):
        minidl.manual_seed(0)
        masked = {"attn_mask": mask} if case == "gradient of the mask" else {}
        results.append(attention_of(inputs, dropout_p=0.5 if case == "dropout" else 0.0, **masked))
    assert_same(results[1], results[0])
    assert gpu.reports == []


def test_errors_are_those_of_the_cpu(gpu):
    x = minidl.ones(2, 3, 4, 8, device="strict")
    bad = [
        dict(attn_mask=minidl.ones(5, 4, dtype=minidl.bool, device="strict")),
        dict(attn_mask=minidl.ones(4, 4, dtype=minidl.int64, device="strict")),
        dict(attn_mask=[1.0]),
        dict(attn_mask=minidl.ones(4, 4, device="strict"), is_causal=True),
    ]
    for options in bad:
        texts = []
        for device in ("cpu", "strict"):
            there = {key: v.to(device) if isinstance(v, minidl.Tensor) else v for key, v in options.items()}
            with pytest.raises((TypeError, ValueError)) as caught:
                attention_of([x.to(device)] * 3, **there)
            texts.append((caught.type, str(caught.value)))
        assert texts[0] == texts[1]
    with pytest.raises(RuntimeError, match="^" + re.escape("scaled_dot_product_attention: tensors on different")):
        attention_of([x] * 3, attn_mask=minidl.ones(4, 4, dtype=minidl.bool))
