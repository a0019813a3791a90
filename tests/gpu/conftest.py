"""What the tests for a GPU share. Without one each file of them is skipped, with the reason."""

from pathlib import Path

import pytest

FOLDER = str(Path(__file__).parent)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(FOLDER) and item.path.name.startswith("test_gpu"):
            item.add_marker(pytest.mark.gpu)
