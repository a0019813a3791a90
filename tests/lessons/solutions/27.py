import numpy as np


def preprocess(images, means):
    return images[..., ::-1].astype(float) - np.asarray(means, float)


def class_map(maps, W, b, k):
    return np.tensordot(W[k], maps, axes=1) + b[k]


def backbone_parameters(blocks):
    def with_norm(channels_in, channels_out, kernel):
        return channels_out * (channels_in * kernel**2 + 5)

    total, channels = with_norm(3, 64, 7), 64
    for stage, number in enumerate(blocks):
        width = 64 * 2**stage
        total += with_norm(channels, 4 * width, 1)
        for _ in range(number):
            total += with_norm(channels, width, 1) + with_norm(width, width, 3) + with_norm(width, 4 * width, 1)
            channels = 4 * width
    return total
