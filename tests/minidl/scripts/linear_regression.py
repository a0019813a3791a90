"""Linear regression: the training loop written out, first with the derivative by hand, then by backward()."""

import numpy as np
import torch

rng = np.random.default_rng(0)
x = torch.from_numpy(rng.standard_normal((64, 3)).astype(np.float32))
truth = torch.tensor([[1.5], [-2.0], [0.5]])
y = x @ truth + 0.7 + 0.1 * torch.from_numpy(rng.standard_normal((64, 1)).astype(np.float32))

w = torch.zeros(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
losses = []
for _ in range(50):
    error = x @ w + b - y
    loss = (error**2).mean()
    by_hand = 2 * x.T @ error.detach() / len(x)
    loss.backward()
    assert torch.allclose(w.grad, by_hand, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
    w.grad.zero_()
    b.grad = None
    losses.append(loss.item())

results = {"losses": losses, "w": w.detach().numpy(), "b": b.tolist(), "last": float(loss.detach())}
