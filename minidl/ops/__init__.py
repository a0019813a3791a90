"""The operations: one file a family, one Function an operation, its forward and its hand-written backward together.

``minidl.ops`` itself is the table of all operations by name; ``minidl`` and ``minidl.nn.functional`` show those that
PyTorch shows there.
"""

from .access import *  # noqa: F403
from .activation import *  # noqa: F403
from .arithmetic import *  # noqa: F403
from .attention import *  # noqa: F403
from .comparison import *  # noqa: F403
from .conversion import *  # noqa: F403
from .convolution import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .cross_entropy import *  # noqa: F403
from .divergence import *  # noqa: F403
from .dropout import *  # noqa: F403
from .einsum import *  # noqa: F403
from .embedding import *  # noqa: F403
from .extrema import *  # noqa: F403
from .diagonals import *  # noqa: F403
from .gathering import *  # noqa: F403
from .indexing import *  # noqa: F403
from .inplace import *  # noqa: F403
from .joining import *  # noqa: F403
from .linalg import *  # noqa: F403
from .loss import *  # noqa: F403
from .methods import attach
from .normalization import *  # noqa: F403
from .norms import *  # noqa: F403
from .padding import *  # noqa: F403
from .piecewise import *  # noqa: F403
from .pooling import *  # noqa: F403
from .reduction import *  # noqa: F403
from .resampling import *  # noqa: F403
from .scans import *  # noqa: F403
from .shape import *  # noqa: F403
from .softmaxes import *  # noqa: F403
from .sorting import *  # noqa: F403
from .special import *  # noqa: F403
from .windows import *  # noqa: F403

attach()
