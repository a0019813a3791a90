"""Rows for interpolation."""

from opcases import Case, normal


def interpolate(*arguments, **options):
    return lambda lib, x: lib.nn.functional.interpolate(x, *arguments, **options)


CASES = [
    Case("interpolate", interpolate(scale_factor=2), normal(2, 1, 2, 3)),
    Case("interpolate.size", interpolate((5, 3)), normal(1, 2, 3, 4)),
    Case("interpolate.one_size", interpolate(4), normal(1, 2, 3, 5)),
    Case("interpolate.same_size", interpolate((2, 3)), normal(1, 2, 2, 3)),
    Case("interpolate.signals", interpolate(scale_factor=1.7), normal(2, 2, 4)),
    Case("interpolate.volumes", interpolate(scale_factor=(2, 1, 0.7)), normal(1, 1, 2, 2, 3)),
    Case("interpolate.smaller", interpolate(scale_factor=0.4), normal(1, 1, 6, 5)),
    Case("interpolate.recomputed", interpolate(scale_factor=1.7, recompute_scale_factor=True), normal(1, 1, 4, 3)),
    Case("interpolate.linear", interpolate(scale_factor=2, mode="linear"), normal(2, 2, 3)),
    Case("interpolate.linear_aligned", interpolate(5, mode="linear", align_corners=True), normal(1, 2, 3)),
    Case("interpolate.linear_one_element", interpolate(1, mode="linear", align_corners=True), normal(1, 2, 3)),
    Case("interpolate.bilinear", interpolate(scale_factor=2, mode="bilinear"), normal(1, 2, 3, 2)),
    Case("interpolate.bilinear_size", interpolate((4, 7), mode="bilinear"), normal(1, 1, 3, 4)),
    Case("interpolate.bilinear_smaller", interpolate((2, 3), mode="bilinear"), normal(1, 1, 5, 4)),
    Case(
        "interpolate.bilinear_aligned",
        interpolate(scale_factor=(2, 1.5), mode="bilinear", align_corners=True),
        normal(1, 1, 3, 4),
    ),
    Case(
        "interpolate.bilinear_recomputed",
        interpolate(scale_factor=1.7, mode="bilinear", recompute_scale_factor=True),
        normal(1, 1, 3, 4),
    ),
    Case("interpolate.bilinear_factor", interpolate(scale_factor=1.7, mode="bilinear"), normal(1, 1, 3, 4)),
    Case("interpolate.bilinear_one_pixel", interpolate(3, mode="bilinear"), normal(1, 2, 1, 1)),
    Case("interpolate.trilinear", interpolate((3, 2, 4), mode="trilinear"), normal(1, 1, 2, 3, 2)),
    Case("interpolate.no_images", interpolate(2, mode="bilinear"), normal(0, 1, 3, 3)),
]
