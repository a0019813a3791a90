"""What holds around every test."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from on_device import *  # noqa: F403 - the hooks of --device

import minidl

settings.register_profile("minidl", deadline=None)  # on a busy machine every example is slow, and none is wrong
settings.load_profile("minidl")


@pytest.fixture(autouse=True)
def settings_as_they_were() -> Iterator[None]:
    """No test leaves recording, the default dtype or device changed: the next one would fail, or worse, pass."""
    device = minidl.get_default_device()
    yield
    assert minidl.get_default_device() == device, "the test left another default device"
    recording, dtype = minidl.is_grad_enabled(), minidl.get_default_dtype()
    minidl.set_grad_enabled(True)
    minidl.set_default_dtype(minidl.float32)
    assert recording, "the test left the recording of the graph switched off"
    assert dtype == minidl.float32, f"the test left {dtype} as the default dtype"
