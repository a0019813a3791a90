"""A script for any device: regression of a curve, gradient clipping by value, early stop, the best state kept."""

import numpy as np
import torch
from torch import nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)

x = torch.linspace(-2, 2, 40).unsqueeze(1).to(device)
y = torch.sin(2 * x) + 0.3 * x
model = nn.Sequential(nn.Linear(1, 12), nn.GELU(), nn.Linear(12, 1)).to(device)
rng = np.random.default_rng(4)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(torch.tensor(rng.normal(0, 0.8, tuple(parameter.shape)), dtype=parameter.dtype))

optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3)
best, best_state, losses = float("inf"), None, []
for _ in range(60):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_value_(model.parameters(), 0.5)
    optimizer.step()
    scheduler.step(loss.item())
    losses.append(loss.item())
    if loss.item() < best:
        best = loss.item()
        best_state = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}

model.load_state_dict(best_state)
with torch.no_grad():
    prediction = model(x).cpu()
counts = torch.zeros(4, dtype=torch.int64)
for bucket in torch.clamp((prediction.squeeze(1) + 1).long(), 0, 3):
    counts[bucket] += 1

results = {
    "losses": losses,
    "best": best,
    "prediction": prediction.numpy(),
    "lr": optimizer.param_groups[0]["lr"],
    "counts": counts.tolist(),
    "device": str(x.device),
    "dtype": str(x.dtype).removeprefix("torch."),
    "random": list(torch.rand(2, 3).shape),
}
