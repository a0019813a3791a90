"""Rows for convolutions and transposed convolutions."""

import warnings

from opcases import Case, normal


def conv(operation, **options):
    def call(lib, *tensors):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths", UserWarning)  # PyTorch's
            return getattr(lib.nn.functional, operation)(*tensors, **options)

    return call


CASES = [
    Case("conv2d", conv("conv2d"), normal(2, 3, 5, 6), normal(4, 3, 3, 2), normal(4)),
    Case("conv2d.no_bias", conv("conv2d"), normal(2, 2, 4, 4), normal(3, 2, 2, 2)),
    Case("conv2d.one_image", conv("conv2d"), normal(2, 4, 5), normal(3, 2, 2, 3), normal(3)),
    Case("conv2d.stride", conv("conv2d", stride=2), normal(1, 2, 6, 5), normal(2, 2, 3, 2), normal(2)),
    Case("conv2d.strides", conv("conv2d", stride=(3, 1)), normal(1, 2, 7, 4), normal(2, 2, 2, 2), normal(2)),
    Case("conv2d.padding", conv("conv2d", padding=1), normal(2, 2, 3, 4), normal(2, 2, 3, 3), normal(2)),
    Case("conv2d.paddings", conv("conv2d", padding=(0, 2)), normal(1, 2, 3, 2), normal(2, 2, 3, 3), normal(2)),
    Case("conv2d.wide_padding", conv("conv2d", padding=3), normal(1, 1, 2, 2), normal(2, 1, 2, 1), normal(2)),
    Case("conv2d.same", conv("conv2d", padding="same"), normal(1, 2, 4, 5), normal(2, 2, 3, 4), normal(2)),
    Case(
        "conv2d.same_dilated",
        conv("conv2d", padding="same", dilation=(1, 3)),
        normal(1, 1, 3, 4),
        normal(2, 1, 2, 2),
        normal(2),
    ),
    Case("conv2d.valid", conv("conv2d", padding="valid", stride=2), normal(1, 2, 4, 5), normal(2, 2, 2, 2), normal(2)),
    Case("conv2d.dilation", conv("conv2d", dilation=2), normal(1, 2, 6, 5), normal(2, 2, 3, 2), normal(2)),
    Case("conv2d.dilations", conv("conv2d", dilation=(1, 2)), normal(1, 2, 4, 5), normal(2, 2, 2, 3), normal(2)),
    Case("conv2d.groups", conv("conv2d", groups=2), normal(2, 4, 4, 3), normal(6, 2, 2, 2), normal(6)),
    Case("conv2d.depthwise", conv("conv2d", groups=3, padding=1), normal(1, 3, 4, 4), normal(6, 1, 3, 3), normal(6)),
    Case(
        "conv2d.everything",
        conv("conv2d", stride=(2, 3), padding=(2, 1), dilation=(2, 1), groups=2),
        normal(2, 4, 6, 7),
        normal(4, 2, 2, 3),
        normal(4),
    ),
    Case("conv2d.one_by_one", conv("conv2d"), normal(2, 3, 3, 2), normal(2, 3, 1, 1), normal(2)),
    Case("conv2d.one_by_one_strided", conv("conv2d", stride=2), normal(1, 2, 4, 5), normal(3, 2, 1, 1)),
    Case("conv2d.one_place", conv("conv2d"), normal(3, 2, 3, 3), normal(4, 2, 3, 3), normal(4)),
    Case("conv2d.many_outputs", conv("conv2d"), normal(1, 1, 3, 4), normal(9, 1, 2, 2), normal(9)),
    Case("conv2d.no_images", conv("conv2d", padding=1), normal(0, 2, 4, 4), normal(3, 2, 3, 3), normal(3)),
    Case("conv2d.itself", lambda lib, x: lib.nn.functional.conv2d(x, x, padding=1), normal(2, 2, 3, 3)),
    Case("conv1d", conv("conv1d"), normal(2, 3, 6), normal(4, 3, 3), normal(4)),
    Case("conv1d.no_bias", conv("conv1d"), normal(2, 2, 5), normal(3, 2, 2)),
    Case("conv1d.one_signal", conv("conv1d", padding=1), normal(2, 5), normal(3, 2, 2), normal(3)),
    Case("conv1d.stride", conv("conv1d", stride=2, padding=1), normal(2, 2, 5), normal(3, 2, 2), normal(3)),
    Case("conv1d.same", conv("conv1d", padding="same", dilation=3), normal(1, 2, 5), normal(3, 2, 2), normal(3)),
    Case("conv1d.dilation_and_groups", conv("conv1d", dilation=2, groups=2), normal(2, 4, 6), normal(4, 2, 3)),
    Case("conv_transpose2d", conv("conv_transpose2d"), normal(2, 3, 3, 2), normal(3, 4, 2, 3), normal(4)),
    Case("conv_transpose2d.no_bias", conv("conv_transpose2d"), normal(1, 2, 2, 3), normal(2, 3, 2, 2)),
    Case("conv_transpose2d.one_image", conv("conv_transpose2d", stride=2), normal(2, 2, 3), normal(2, 2, 2, 3)),
    Case(
        "conv_transpose2d.stride", conv("conv_transpose2d", stride=2), normal(2, 2, 3, 2), normal(2, 2, 3, 3), normal(2)
    ),
    Case(
        "conv_transpose2d.gaps",
        conv("conv_transpose2d", stride=(3, 4)),
        normal(1, 2, 3, 2),
        normal(2, 2, 2, 2),
        normal(2),
    ),
    Case("conv_transpose2d.padding", conv("conv_transpose2d", padding=(1, 0)), normal(1, 2, 3, 3), normal(2, 2, 3, 2)),
    Case(
        "conv_transpose2d.wide_padding",
        conv("conv_transpose2d", padding=2),
        normal(1, 2, 5, 6),
        normal(2, 2, 2, 1),
        normal(2),
    ),
    Case(
        "conv_transpose2d.output_padding",
        conv("conv_transpose2d", stride=3, padding=1, output_padding=(2, 1)),
        normal(1, 2, 2, 3),
        normal(2, 2, 3, 2),
        normal(2),
    ),
    Case(
        "conv_transpose2d.output_padding_beyond_stride",
        conv("conv_transpose2d", dilation=3, output_padding=2),
        normal(1, 2, 2, 3),
        normal(2, 2, 2, 2),
        normal(2),
    ),
    Case(
        "conv_transpose2d.everything",
        conv("conv_transpose2d", stride=(2, 3), padding=(2, 1), output_padding=(0, 2), groups=2, dilation=(2, 1)),
        normal(2, 4, 4, 3),
        normal(4, 2, 2, 3),
        normal(4),
    ),
    Case(
        "conv_transpose2d.groups", conv("conv_transpose2d", groups=2), normal(1, 4, 3, 3), normal(4, 3, 2, 2), normal(6)
    ),
    Case("conv_transpose2d.no_images", conv("conv_transpose2d"), normal(0, 2, 3, 3), normal(2, 3, 2, 2), normal(3)),
    Case("conv_transpose1d", conv("conv_transpose1d"), normal(2, 3, 4), normal(3, 2, 3), normal(2)),
    Case(
        "conv_transpose1d.everything",
        conv("conv_transpose1d", stride=3, padding=1, output_padding=2, groups=2, dilation=2),
        normal(2, 4, 3),
        normal(4, 2, 3),
        normal(4),
    ),
    Case("conv_transpose1d.one_signal", conv("conv_transpose1d", stride=2), normal(3, 4), normal(3, 2, 2), normal(2)),
]
