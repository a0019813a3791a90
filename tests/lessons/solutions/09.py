import numpy as np


def backward(W, b, x, label):
    outputs = [x]
    for layer, (W_l, b_l) in enumerate(zip(W, b, strict=True)):
        z = W_l @ outputs[-1] + b_l
        outputs.append(z if layer == len(W) - 1 else np.maximum(z, 0))
    gradients_W, gradients_b = [], []
    delta = outputs[-1] - label
    for layer in reversed(range(len(W))):
        gradients_W.insert(0, np.outer(delta, outputs[layer]))
        gradients_b.insert(0, delta)
        if layer:
            delta = (W[layer].T @ delta) * (outputs[layer] > 0)
    return gradients_W, gradients_b
