"""Gradients of gradients: a penalty on |df/dx|, a Hessian row by row, hooks, and the gradient check."""

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(3)
w1 = torch.tensor(rng.standard_normal((8, 3)), requires_grad=True)
w2 = torch.tensor(rng.standard_normal((1, 8)), requires_grad=True)
x = torch.tensor(rng.standard_normal((5, 3)), requires_grad=True)


def f(inputs):
    return F.linear(torch.tanh(F.linear(inputs, w1)), w2)


y = f(x).sum()
(slope,) = torch.autograd.grad(y, x, create_graph=True)
penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
penalty.backward()

point = torch.tensor([0.3, -0.2, 0.8], dtype=torch.float64, requires_grad=True)
value = (point.exp() * point.roll(1, 0)).sum()
(gradient,) = torch.autograd.grad(value, point, create_graph=True)
hessian = [torch.autograd.grad(g, point, retain_graph=True)[0].tolist() for g in gradient]

seen = []
z = torch.tensor([1.0, 2.0], requires_grad=True)
square = z * z
square.retain_grad()
handle = square.register_hook(lambda g: seen.append(g.tolist()))
(3 * square).sum().backward()
handle.remove()

unused = torch.ones(1, requires_grad=True)
nothing = torch.autograd.grad((z * 2).sum(), [z, unused], allow_unused=True)[1]
try:
    (z * 2).backward()
    scalar = "accepted"
except RuntimeError:
    scalar = "refused"

results = {
    "penalty": penalty.item(),
    "w1": w1.grad.numpy(),
    "w2": w2.grad.numpy(),
    "hessian": hessian,
    "seen": seen,
    "retained": square.grad.tolist(),
    "z": z.grad.tolist(),
    "unused": nothing is None,
    "scalar": scalar,
    "checked": torch.autograd.gradcheck(f, (x,)) and torch.autograd.gradgradcheck(f, (x,)),
}
