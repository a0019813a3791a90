"""A Module of one's own: submodules, a buffer, a state_dict that goes round, train and eval, parameter groups."""

import numpy as np
import torch
from torch import nn


class Standardise(nn.Module):
    """Subtracts a running mean, which is a buffer: saved, but not trained."""

    def __init__(self, features, momentum=0.1):
        super().__init__()
        self.momentum = momentum
        self.scale = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                self.mean.mul_(1 - self.momentum).add_(self.momentum * x.mean(0))
        return (x - self.mean) * self.scale


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = Standardise(width)
        self.layers = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])

    def forward(self, x):
        x = self.norm(x)
        for layer in self.layers:
            x = x + torch.sigmoid(layer(x))
        return x


rng = np.random.default_rng(2)


def fill(module):
    with torch.no_grad():
        for _, parameter in module.named_parameters():
            parameter.copy_(torch.from_numpy(rng.normal(0, 0.5, tuple(parameter.shape))))


x = torch.from_numpy(rng.standard_normal((10, 4)).astype("float32"))
model = Block(4)
fill(model)
weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
others = [p for name, p in model.named_parameters() if not name.endswith("weight")]
optimizer = torch.optim.SGD([{"params": weights, "weight_decay": 0.1}, {"params": others}], lr=0.05, momentum=0.9)
for _ in range(5):
    optimizer.zero_grad()
    model(x).pow(2).mean().backward()
    optimizer.step()

copy = Block(4)
outcome = copy.load_state_dict(model.state_dict())
model.eval()
copy.eval()
with torch.no_grad():
    first, second = model(x), copy(x)
try:
    copy.load_state_dict({"norm.scale": torch.ones(4)})
    strict = "accepted"
except RuntimeError:
    strict = "refused"
partial = copy.load_state_dict({"norm.scale": torch.ones(4), "more": torch.ones(1)}, strict=False)

results = {
    "keys": list(model.state_dict()),
    "shapes": [list(t.shape) for t in model.state_dict().values()],
    "mean": model.norm.mean.tolist(),
    "output": first.numpy(),
    "same": torch.equal(first, second),
    "strict": strict,
    "missing": sorted(partial.missing_keys),
    "unexpected": list(partial.unexpected_keys),
    "training": [module.training for module in model.modules()],
    "count": sum(p.numel() for p in model.parameters()),
    "buffers": [name for name, _ in model.named_buffers()],
    "groups": [group["weight_decay"] for group in optimizer.param_groups],
}
