"""Checks for lesson 27: pictures as a backbone expects them, the map behind a score, and the size of a backbone."""

import numpy as np

from lessons.exercise import close, expect


def check_preprocess(solution):
    """Write `preprocess(images, means)`: RGB in 8 bits (N, H, W, 3) -> BGR minus the means (blue, green, red)."""
    rng = np.random.default_rng(0)
    for n, height, width in [(1, 1, 1), (2, 3, 2)]:
        images = rng.integers(0, 256, (n, height, width, 3)).astype(np.uint8)
        means = rng.uniform(90, 130, 3).round(1)
        got = solution.preprocess(images, means)
        expect(np.shape(got) == images.shape, "the pictures keep their shape", means=means, got=got)
        for place in np.ndindex(n, height, width):
            given = dict(red_green_blue=images[place], means=means, got=got[place])
            for channel, source in [(0, 2), (1, 1), (2, 0)]:
                what = f"channel {channel} plus its mean is colour {source} of the picture"
                expect(close(got[place][channel] + means[channel], float(images[place][source])), what, **given)
    images, means = np.full((1, 1, 1, 3), 100, np.uint8), np.array([104, 104, 104], np.uint8)
    got = solution.preprocess(images, means)
    given = dict(pixel=images[0, 0, 0], means=means, got=got)
    expect(close(got, np.full((1, 1, 1, 3), -4.0)), "a pixel that is darker than the mean becomes negative", **given)


def check_class_map(solution):
    """Write `class_map(maps, W, b, k)`: what each place (H, W') contributes to the score of class k."""
    rng = np.random.default_rng(1)
    for channels, height, width, classes in [(1, 1, 1, 2), (3, 2, 4, 5), (4, 3, 3, 2)]:
        maps = rng.normal(size=(channels, height, width))
        W, b = rng.normal(size=(classes, channels)), rng.normal(size=classes)
        for k in range(classes):
            got = solution.class_map(maps, W, b, k)
            given = dict(maps=maps, W=W, b=b, k=k, got=got)
            expect(np.shape(got) == (height, width), "there is one number for each place", **given)
            score = sum(W[k, c] * maps[c].mean() for c in range(channels)) + b[k]
            expect(close(np.mean(got), score), "the mean of the map is the score of the mean features", **given)
            row, column = height - 1, 0
            changed = maps.copy()
            changed[:, row, column] += 1.0
            difference = solution.class_map(changed, W, b, k) - got
            expected = np.zeros((height, width))
            expected[row, column] = W[k].sum()
            what = f"1 more in all maps at {(row, column)} changes that place alone, by the sum of class k's weights"
            expect(close(difference, expected), what, difference=difference, **given)


def check_backbone_parameters(solution):
    """Write `backbone_parameters(blocks)`: as Keras counts them, for four stages with so many blocks each."""
    smallest = solution.backbone_parameters((1, 1, 1, 1))
    for stage, width in enumerate((64, 128, 256, 512)):
        blocks = [1, 1, 1, 1]
        blocks[stage] += 1
        got = solution.backbone_parameters(tuple(blocks))
        # three kinds of kernels; for each of the w + w + 4w channels one bias and four numbers of the norm
        more = 4 * width**2 + 9 * width**2 + 4 * width**2 + 5 * (6 * width)
        what = f"one more block in stage {stage + 1} costs its three convolutions and norms"
        expect(got - smallest == more, what, blocks=blocks, got=got, with_one_block_each=smallest)
    got = solution.backbone_parameters((3, 4, 6, 3))
    expect(got == 23_587_712, "ResNet-50 has the number of the lesson", got=got)
