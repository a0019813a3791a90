"""Settings for all tests."""

import os

# The matrices of the tests are small. Thread pools would spend their time waiting for each other, all the more where
# several processes share the machine. The libraries read this when they are loaded, so it comes before all imports.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from hypothesis import settings  # noqa: E402

# How long an example takes says more about what else the machine is doing than about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
