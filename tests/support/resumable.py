"""A small training that saves its whole state every few steps and goes on from there; test_resume.py kills it.

    python resumable.py PATH STEPS SAVES

trains until STEPS steps are done, but stops working, and waits to be killed, once it has saved SAVES times. It begins
when a line comes in, so that the next run can be got ready while one still goes.
"""

import sys
import time
from pathlib import Path

import minidl
import minidl.nn.functional as F
from minidl import nn
from minidl.data import DataLoader, TensorDataset
from minidl.optim import Adam
from minidl.optim.lr_scheduler import StepLR

SAVE_EVERY = 3


def train(path: Path, steps: int, saves: int) -> None:
    minidl.manual_seed(0)
    data = TensorDataset(minidl.randn(100, 20), minidl.randint(0, 4, (100,)))
    loader = DataLoader(data, batch_size=16, shuffle=True, num_workers=2)
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4))
    optimizer = Adam(model.parameters(), lr=0.01)
    schedule = StepLR(optimizer, step_size=4, gamma=0.9)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": loader}
    step = 0
    if path.exists():
        state = minidl.load(path)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        minidl.set_rng_state(state["random"])
        step = state["step"]
    print("from", step, flush=True)
    while step < steps:
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
            step += 1
            if step % SAVE_EVERY == 0:
                state = {name: part.state_dict() for name, part in parts.items()}
                minidl.save({**state, "random": minidl.get_rng_state(), "step": step}, path)
                print("saved", step, flush=True)
                saves -= 1
                if saves == 0:
                    time.sleep(60)
            if step == steps:
                return
        schedule.step()


if __name__ == "__main__":
    sys.stdin.readline()
    train(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
