import numpy as np


def adamax(gradients, alpha, beta_1, beta_2):
    w = m = u = np.zeros(gradients.shape[1])
    places = []
    for t, g in enumerate(gradients, 1):
        m = beta_1 * m + (1 - beta_1) * g
        u = np.maximum(beta_2 * u, np.abs(g))
        w = w - alpha / (1 - beta_1**t) * m / u
        places.append(w)
    return np.array(places)


def best_momentum(curvatures):
    flat, steep = np.sqrt(np.min(curvatures)), np.sqrt(np.max(curvatures))
    return (2 / (steep + flat)) ** 2, ((steep - flat) / (steep + flat)) ** 2
