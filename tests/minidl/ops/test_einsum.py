"""einsum: random equations against NumPy and the gradient check, and every error text."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from minidl.testing import gradcheck, gradgradcheck


@st.composite
def equations(draw):
    """An equation of one to three operands over at most four letters, and arrays that fit it."""
    letters = string.ascii_letters[: draw(st.integers(1, 4))]
    length = {letter: draw(st.integers(0, 3)) for letter in letters}
    terms = draw(st.lists(st.text(letters, max_size=3), min_size=1, max_size=3))
    present = sorted(set("".join(terms)))
    result = "".join(draw(st.permutations(present))[: draw(st.integers(0, len(present)))]) if present else ""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    arrays = []
    for term in terms:
        repeated = [letter for letter in term if term.count(letter) > 1]
        ones = draw(st.sets(st.sampled_from(letters)))  # dimensions of length 1, which broadcast
        arrays.append(rng.standard_normal([1 if i in ones and i not in repeated else length[i] for i in term]))
    return ",".join(terms) + "->" + result, arrays


def expected(equation, arrays):
    """By definition: all arrays broadcast over all letters, multiplied, and summed."""
    inputs, result = equation.split("->")
    letters = sorted(set(inputs) - {","})
    whole = np.ones(())
    for term, x in zip(inputs.split(","), arrays, strict=True):
        x = np.einsum(x, [letters.index(i) for i in term], sorted(letters.index(i) for i in set(term)))
        shape = iter(x.shape)
        whole = whole * x.reshape([next(shape) if i in term else 1 for i in letters])
    whole = np.asarray(whole).reshape([1] * (len(letters) - np.ndim(whole)) + list(np.shape(whole)))
    whole = whole.sum(tuple(k for k, i in enumerate(letters) if i not in result))
    kept = [i for i in letters if i in result]
    return whole.transpose([kept.index(i) for i in result])


@given(equations())
def test_any_equation(drawn):
    equation, arrays = drawn
    z = minidl.einsum(equation, *map(minidl.tensor, arrays))
    np.testing.assert_allclose(z.array, expected(equation, arrays), rtol=1e-12, atol=1e-12)
    assert z.array.shape == expected(equation, arrays).shape


@given(equations())
def test_gradients_of_any_equation(drawn):
    equation, arrays = drawn
    inputs = [minidl.tensor(x, requires_grad=True) for x in arrays]
    assert gradcheck(lambda *xs: minidl.einsum(equation, *xs), inputs)
    assert gradgradcheck(lambda *xs: minidl.einsum(equation, *xs), inputs)


def test_the_result_without_an_arrow_is_in_alphabetical_order():
    x, y = minidl.randn(2, 3), minidl.randn(3, 4)
    np.testing.assert_array_equal(minidl.einsum("za,ab", x, y).array, minidl.einsum("za,ab->bz", x, y).array)


def ones(*shape, dtype=np.float32):
    return minidl.tensor(np.ones(shape, dtype))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: minidl.einsum(ones(2), ones(2)),
            TypeError,
            "einsum: equation must be a string, not Tensor",
        ),
        (lambda: minidl.einsum("i->i"), ValueError, "einsum: at least one operand is needed"),
        (
            lambda: minidl.einsum("i,j", ones(2), [1.0]),
            TypeError,
            "einsum: operand 1 must be a Tensor, not list",
        ),
        (
            lambda: minidl.einsum("i,j", ones(2), ones(2, dtype=np.float64)),
            TypeError,
            "einsum: operand 0 is float32 but operand 1 is float64; both must have one dtype",
        ),
        (
            lambda: minidl.einsum("i1->i", ones(2, 2)),
            ValueError,
            "einsum: 'i1' in 'i1->i' holds more than letters and one ellipsis",
        ),
        (
            lambda: minidl.einsum("...i...->i", ones(2, 2)),
            ValueError,
            "einsum: '...i...' in '...i...->i' holds more than letters and one ellipsis",
        ),
        (
            lambda: minidl.einsum("ij,jk->ik", ones(2, 2)),
            ValueError,
            "einsum: 'ij,jk->ik' has 2 operands, but 1 were given",
        ),
        (
            lambda: minidl.einsum("i->ii", ones(2)),
            ValueError,
            "einsum: 'i' stands twice in the result of 'i->ii'",
        ),
        (
            lambda: minidl.einsum("i->k", ones(2)),
            ValueError,
            "einsum: 'k' in the result of 'i->k' is in no operand",
        ),
        (
            lambda: minidl.einsum("ijk->i", ones(2, 2)),
            ValueError,
            "einsum: operand 0 has shape (2, 2), but 'ijk' in 'ijk->i' stands for 3 dimensions",
        ),
        (
            lambda: minidl.einsum("i->i", ones(2, 2)),
            ValueError,
            "einsum: operand 0 has shape (2, 2), but 'i' in 'i->i' stands for 1 dimensions",
        ),
        (
            lambda: minidl.einsum("...ij->i", ones(2)),
            ValueError,
            "einsum: operand 0 has shape (2,), but '...ij' in '...ij->i' stands for at least 2 dimensions",
        ),
        (
            lambda: minidl.einsum("ii->i", ones(2, 3)),
            ValueError,
            "einsum: 'i' repeats in operand 0 of 'ii->i' with different lengths",
        ),
        (
            lambda: minidl.einsum("ij,jk->ik", ones(2, 3), ones(4, 5)),
            ValueError,
            "einsum: 'j' in 'ij,jk->ik' has length 3 before, but 4 in operand 1 (shape (4, 5))",
        ),
        (
            lambda: minidl.einsum("...i,...i->...", ones(2, 3), ones(4, 3)),
            ValueError,
            "einsum: the ellipsis in '...i,...i->...' has length 2 before, but 4 in operand 1 (shape (4, 3))",
        ),
    ],
)
def test_error_texts(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
