"""Rows for normalisation. Running statistics are made inside the call, since it changes them."""

from opcases import Case, normal, positive


def running(lib, x, *more, **settings):
    """In training: the result, and the running statistics after two batches."""
    mean = lib.full((x.shape[1],), 0.5, dtype=x.dtype)
    var = lib.ones(x.shape[1], dtype=x.dtype)
    lib.nn.functional.batch_norm(x.detach() * 3 - 1, mean, var, training=True)
    y = lib.nn.functional.batch_norm(x, mean, var, *more, training=True, **settings)
    return y, mean, var


def batch_norm(lib, x, *more, **settings):
    return running(lib, x, *more, **settings)[0]


def evaluated(lib, x, *more, **settings):
    mean = lib.arange(x.shape[1], dtype=x.dtype)
    return lib.nn.functional.batch_norm(x, mean, mean * 2 + 0.5, *more, **settings)


def ones_in_torch(lib, x):
    """PyTorch 2.13 fails in the backward pass of group_norm with a bias but no weight."""
    return lib.ones(x.shape[1], dtype=x.dtype) if lib.__name__ == "torch" else None


RUNNING = "the running statistics depend on the input but carry no gradient"

CASES = [
    Case("batch_norm", batch_norm, normal(4, 3), positive(3), normal(3), twin=True),
    Case("batch_norm.sequence", batch_norm, normal(3, 2, 4), normal(2), normal(2), twin=True),
    Case("batch_norm.images", batch_norm, normal(2, 3, 3, 2), positive(3), normal(3), twin=True),
    Case("batch_norm.wide", lambda lib, x, w: batch_norm(lib, x, w), normal(2, 2, 5, 7), normal(2), twin=True),
    Case("batch_norm.volume", batch_norm, normal(2, 2, 2, 1, 3), twin=True),
    Case("batch_norm.plain", batch_norm, normal(2, 3, 4), twin=True),
    Case("batch_norm.bias", lambda lib, x, b: batch_norm(lib, x, None, b), normal(3, 2), normal(2), twin=True),
    Case("batch_norm.momentum", lambda lib, x: batch_norm(lib, x, momentum=0.75, eps=0.5), normal(3, 2, 2), twin=True),
    Case("batch_norm.running", running, normal(4, 3), positive(3), normal(3), smooth=False, reason=RUNNING),
    Case(
        "batch_norm.running_images",
        lambda lib, x: running(lib, x, momentum=1.0),
        normal(2, 2, 3, 5),
        smooth=False,
        reason=RUNNING,
    ),
    Case("batch_norm.running_nothing", running, normal(0, 2, 3), smooth=False, reason=RUNNING),
    Case("batch_norm.one_sample", batch_norm, normal(1, 2, 5), positive(2), twin=True),
    Case(
        "batch_norm.no_statistics",
        lambda lib, x, w, b: lib.nn.functional.batch_norm(x, None, None, w, b, True),
        normal(2, 3, 4),
        normal(3),
        normal(3),
        twin=True,
    ),
    Case("batch_norm.no_samples", batch_norm, normal(0, 3, 2), normal(3), normal(3), twin=True),
    Case("batch_norm.evaluated", evaluated, normal(4, 3), normal(3), normal(3), twin=True),
    Case("batch_norm.evaluated_images", evaluated, normal(2, 2, 3, 4), normal(2), twin=True),
    Case("batch_norm.evaluated_wide", evaluated, normal(2, 2, 5, 7), normal(2), normal(2), twin=True),
    Case("batch_norm.evaluated_plain", evaluated, normal(1, 2), twin=True),
    Case(
        "batch_norm.evaluated_bias",
        lambda lib, x, b: evaluated(lib, x, None, b, eps=0.1),
        normal(3, 2),
        normal(2),
        twin=True,
    ),
    Case("batch_norm.evaluated_no_samples", evaluated, normal(0, 2, 3), normal(2), normal(2), twin=True),
    Case(
        "layer_norm",
        lambda lib, x, w, b: lib.nn.functional.layer_norm(x, (4,), w, b),
        normal(3, 4),
        normal(4),
        normal(4),
        twin=True,
    ),
    Case(
        "layer_norm.dims",
        lambda lib, x, w, b: lib.nn.functional.layer_norm(x, (3, 4), w, b, 0.1),
        normal(2, 3, 4),
        normal(3, 4),
        normal(3, 4),
        twin=True,
    ),
    Case("layer_norm.plain", lambda lib, x: lib.nn.functional.layer_norm(x, [5]), normal(2, 2, 5), twin=True),
    Case("layer_norm.vector", lambda lib, x: lib.nn.functional.layer_norm(x, (5,)), normal(5), twin=True),
    Case(
        "layer_norm.weight",
        lambda lib, x, w: lib.nn.functional.layer_norm(x, (4,), weight=w),
        normal(3, 4),
        normal(4),
        twin=True,
    ),
    Case(
        "layer_norm.bias",
        lambda lib, x, b: lib.nn.functional.layer_norm(x, (4,), bias=b),
        normal(3, 4),
        normal(4),
        twin=True,
    ),
    Case(
        "layer_norm.no_samples",
        lambda lib, x, w, b: lib.nn.functional.layer_norm(x, (4,), w, b),
        normal(0, 4),
        normal(4),
        normal(4),
        twin=True,
    ),
    Case("layer_norm.no_places", lambda lib, x: lib.nn.functional.layer_norm(x, (0,)), normal(3, 0), twin=True),
    Case(
        "rms_norm",
        lambda lib, x, w: lib.nn.functional.rms_norm(x, (4,), w),
        normal(3, 4),
        normal(4),
        twin=True,
    ),
    Case("rms_norm.dims", lambda lib, x: lib.nn.functional.rms_norm(x, (3, 2), eps=0.1), normal(2, 3, 2), twin=True),
    Case(
        "group_norm",
        lambda lib, x, w, b: lib.nn.functional.group_norm(x, 2, w, b),
        normal(2, 4, 3),
        normal(4),
        normal(4),
        twin=True,
    ),
    Case(
        "group_norm.images",
        lambda lib, x, w, b: lib.nn.functional.group_norm(x, 3, w, b, eps=0.1),
        normal(2, 3, 2, 3),
        normal(3),
        normal(3),
        twin=True,
    ),
    Case(
        "group_norm.one",
        lambda lib, x, w: lib.nn.functional.group_norm(x, 1, w),
        normal(3, 4),
        normal(4),
        twin=True,
    ),
    Case(
        "group_norm.bias",
        lambda lib, x, b: lib.nn.functional.group_norm(x, 2, ones_in_torch(lib, x), b),
        normal(2, 4, 2),
        normal(4),
        twin=True,
    ),
    Case("group_norm.plain", lambda lib, x: lib.nn.functional.group_norm(x, 2), normal(1, 4, 2, 2), twin=True),
    Case(
        "group_norm.no_samples",
        lambda lib, x, w, b: lib.nn.functional.group_norm(x, 2, w, b),
        normal(0, 4, 2),
        normal(4),
        normal(4),
        twin=True,
    ),
]
