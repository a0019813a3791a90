"""``minidl.data`` under the name that it has in PyTorch."""

from ..data import *  # noqa: F403
from ..data import __all__ as __all__
