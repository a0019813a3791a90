"""A multilayer perceptron on three classes: Sequential, Adam, a DataLoader, a schedule, training and evaluation."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(1)
labels = rng.integers(0, 3, 120)
centres = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
points = centres[labels] + 0.6 * rng.standard_normal((120, 2))
dataset = TensorDataset(torch.tensor(points, dtype=torch.float32), torch.tensor(labels))
loader = DataLoader(dataset, batch_size=32, shuffle=False)

model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3))
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(torch.from_numpy(rng.normal(0, 0.3, tuple(parameter.shape))))

criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)

epochs = []
for _ in range(8):
    model.train()
    total = 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        total += loss.item() * len(inputs)
    scheduler.step()
    epochs.append(total / len(dataset))

model.eval()
correct, probabilities = 0, []
with torch.no_grad():
    for inputs, targets in loader:
        scores = model(inputs)
        probabilities.append(F.softmax(scores, dim=1))
        correct += (scores.argmax(dim=1) == targets).sum().item()

results = {
    "epochs": epochs,
    "accuracy": correct / len(dataset),
    "probabilities": torch.cat(probabilities).numpy(),
    "lr": scheduler.get_last_lr(),
    "batches": len(loader),
}
