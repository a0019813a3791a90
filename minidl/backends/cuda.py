"""Which code multiplies matrices and computes attention on a GPU: CuPy's libraries, or the kernels of this project."""

from __future__ import annotations

__all__ = ["enable_flash_sdp", "flash_sdp_enabled", "preferred_blas_library"]

_blas = "cublas"
_flash = True


def preferred_blas_library(backend: str | None = None) -> str:
    """What multiplies float32 matrices on a GPU: "cublas" (the default) or "kernels", this project's own.

    Convolutions stay with cuBLAS. A call without an argument changes nothing.

    Returns:
        The library that is in use from now on.

    Raises:
        ValueError: for any other name.
    """
    global _blas
    if backend is not None:
        if backend not in ("cublas", "kernels"):
            raise ValueError(f"preferred_blas_library: backend must be 'cublas' or 'kernels', not {backend!r}")
        _blas = backend
    return _blas


def flash_sdp_enabled() -> bool:
    """Whether ``scaled_dot_product_attention`` may use the fused kernels on a GPU; at first it may."""
    return _flash


def enable_flash_sdp(enabled: bool) -> None:
    """Let ``scaled_dot_product_attention`` use the fused kernels on a GPU, or keep to small operations."""
    global _flash
    _flash = bool(enabled)
