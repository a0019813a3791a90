"""Small PyTorch scripts that run unchanged when torch is replaced by minidl, with the same results."""

import re
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))


def as_minidl(source):
    """The script with its imports of torch turned into imports of minidl, and nothing else changed."""
    source = re.sub(r"^import torch$", "import minidl as torch", source, flags=re.MULTILINE)
    return re.sub(r"^(import|from) torch\b", r"\1 minidl", source, flags=re.MULTILINE)


def execute(path, source):
    names = {"__name__": "__main__"}
    exec(compile(source, str(path), "exec"), names)
    return names["results"]


def compare(name, found, expected):
    if isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), name
        for i, (x, y) in enumerate(zip(found, expected, strict=True)):
            compare(f"{name}[{i}]", x, y)
    elif isinstance(expected, (float, np.ndarray)):
        # float32 in another order of summation, over up to 60 steps of training that build on each other
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-5, err_msg=name)
        assert np.asarray(found).dtype == np.asarray(expected).dtype, name
    else:
        assert found == expected, name


def test_there_are_five_scripts():
    assert len(SCRIPTS) == 5


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_runs_with_minidl(path):
    source = path.read_text()
    assert "import torch" in source
    replaced = as_minidl(source)
    assert not re.search(r"^(import|from) torch\b", replaced, re.MULTILINE)
    assert execute(path, replaced)


@pytest.mark.parity
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_gives_the_same_results_under_both_names(path):
    pytest.importorskip("torch", reason="parity with PyTorch needs torch")
    source = path.read_text()
    expected = execute(path, source)
    found = execute(path, as_minidl(source))
    assert list(found) == list(expected)
    for name in expected:
        compare(name, found[name], expected[name])
