"""Rows for the windows of images: unfold and fold."""

from opcases import Case, normal


def unfold(*arguments, **options):
    return lambda lib, x: lib.nn.functional.unfold(x, *arguments, **options)


def fold(*arguments, **options):
    return lambda lib, x: lib.nn.functional.fold(x, *arguments, **options)


CASES = [
    Case("unfold.images", unfold(2), normal(2, 3, 3, 4)),
    Case("unfold.one_image", unfold((2, 3)), normal(2, 3, 4)),
    Case("unfold.images_all_settings", unfold((2, 3), (2, 1), (1, 2), (2, 3)), normal(1, 2, 5, 4)),
    Case("unfold.images_single_pixels", unfold(1), normal(2, 2, 2, 3)),
    Case("unfold.images_strided", unfold(2, stride=2), normal(1, 2, 5, 4)),
    Case("unfold.no_images", unfold(2), normal(0, 3, 3, 4)),
    Case("fold", fold((3, 4), 2), normal(2, 12, 6)),
    Case("fold.one_image", fold((3, 4), (2, 3)), normal(12, 4)),
    Case("fold.all_settings", fold((5, 4), (2, 3), dilation=(2, 1), padding=(1, 2), stride=(2, 3)), normal(1, 12, 6)),
    Case("fold.single_pixels", fold((2, 3), 1), normal(2, 2, 6)),
    Case("fold.square", fold(3, 2), normal(1, 8, 4)),
    Case("fold.strided", fold((5, 4), 2, stride=2), normal(1, 8, 4)),
    Case("fold.no_images", fold((3, 4), 2), normal(0, 12, 6)),
]
