"""Where to cut a classifier of your own: python examples/rank_my_model.py (seconds, offline)."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import isplit

# Put your own model and loaders here: this net tells horizontal stripes from vertical ones.
torch.manual_seed(0)
labels = torch.arange(512) % 2
waves = torch.sin(torch.arange(16) + 6 * torch.rand(512, 1))[:, None, None].expand(-1, 3, 16, -1)
images = torch.where(labels.view(-1, 1, 1, 1) == 0, waves, waves.mT) + torch.randn(512, 3, 16, 16)
train = DataLoader(TensorDataset(images[:384], labels[:384]), batch_size=32, shuffle=True)
val = DataLoader(TensorDataset(images[384:], labels[384:]), batch_size=32, shuffle=True)
model = nn.Sequential(
    *(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(16, 32, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2)),
)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for _ in range(6):
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

ranking = isplit.rank(model, val)
print(ranking)
split = isplit.split(model, ranking.best, rate=0.9)
accuracy = split.fit(train, val, progress="none")
print(f"cut after {ranking.best.label}: {accuracy.baseline:.3f} -> {accuracy.after_finetune:.3f}")
