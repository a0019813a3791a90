"""Rows for padding."""

from opcases import Case, integers, normal


def pad(lib, *arguments, **options):
    return lib.nn.functional.pad(*arguments, **options)


def continued(widths, mode):
    return lambda lib, x: lib.nn.functional.pad(x, widths, mode)


CASES = [
    Case("pad", lambda lib, x: pad(lib, x, (1, 2)), normal(2, 3)),
    Case("pad.two_dimensions", lambda lib, x: pad(lib, x, (1, 0, 2, 1)), normal(2, 3, 2)),
    Case("pad.value", lambda lib, x: pad(lib, x, (1, 1), "constant", 2.5), normal(2, 3)),
    Case("pad.negative", lambda lib, x: pad(lib, x, [-1, 2, 1, -1], value=-1.0), normal(3, 4)),
    Case("pad.nothing", lambda lib, x: pad(lib, x, (0, 0)), normal(3)),
    Case("pad.integers", lambda lib, x: pad(lib, x, (2, 0), value=7), integers(0, 9, 3), grad=False),
    Case("pad.reflect", continued((2, 1), "reflect"), normal(2, 3, 4)),
    Case("pad.reflect_images", continued((1, 2, 2, 1), "reflect"), normal(1, 2, 3, 4)),
    Case("pad.reflect_one_image", continued((1, 0, 0, 2), "reflect"), normal(2, 3, 2)),
    Case("pad.reflect_volumes", continued((1, 1, 0, 1, 1, 0), "reflect"), normal(1, 1, 2, 2, 3)),
    Case("pad.reflect_negative", continued((-1, 2, 1, -2), "reflect"), normal(1, 1, 4, 3)),
    Case("pad.reflect_nothing", continued((0, 0), "reflect"), normal(2, 3)),
    Case("pad.replicate", continued((3, 1), "replicate"), normal(2, 3)),
    Case("pad.replicate_images", continued((1, 4, 0, 2), "replicate"), normal(2, 1, 2, 3)),
    Case("pad.replicate_volumes", continued((1, 2, 2, 0, 0, 1), "replicate"), normal(1, 1, 2, 2, 2)),
    Case("pad.replicate_negative", continued((-1, 1, 2, -1), "replicate"), normal(1, 1, 3, 3)),
    Case("pad.circular", continued((2, 3), "circular"), normal(1, 2, 3)),
    Case("pad.circular_images", continued((1, 2, 2, 1), "circular"), normal(2, 1, 2, 3)),
    Case("pad.circular_volumes", continued((1, 0, 2, 1, 0, 1), "circular"), normal(1, 1, 2, 2, 2)),
    Case("pad.circular_negative", continued((-1, 2), "circular"), normal(1, 2, 4)),
    Case("pad.continued_integers", continued((1, 2), "replicate"), integers(0, 9, 2, 3), grad=False),
    Case("pad.continued_no_images", continued((1, 2), "circular"), normal(0, 2, 3)),
]
