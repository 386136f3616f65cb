"""Writes the optimizer's parity fixture: torch.optim.AdamW in float64, and the learning rates of transformers' schedules."""

import torch
from transformers import get_scheduler

from fixture_files import REPOSITORY, versions, write_json

OUTPUT = REPOSITORY / "src/engine/train/fixtures/optimizer.json"


def main() -> None:
    random = torch.Generator().manual_seed(21)
    size, steps = 37, 100
    start = torch.randn(size, generator=random, dtype=torch.float64)
    # Scales from 1e-6 to 10, signs that change, and one element whose gradient is always 0.
    scale = torch.logspace(-6, 1, size, dtype=torch.float64)
    gradient_table = torch.randn(steps, size, generator=random, dtype=torch.float64) * scale + 0.3 * scale
    gradient_table[:, 5] = 0
    # Rounded once so that the JSON holds exactly what the optimizer was given.
    gradient_table = torch.tensor([[float(f"{x:.9e}") for x in row] for row in gradient_table.tolist()], dtype=torch.float64)
    runs = []
    for weight_decay in (0.0, 0.05):
        parameter = torch.nn.Parameter(start.clone())
        options = dict(lr=3e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=weight_decay)
        optimizer = torch.optim.AdamW([parameter], foreach=False, fused=False, **options)
        after = []
        for step in range(steps):
            parameter.grad = gradient_table[step].clone()
            optimizer.step()
            if (step + 1) % 10 == 0:
                after.append(parameter.detach().tolist())
        recipe = {"learningRate": 3e-3, "betas": [0.9, 0.999], "epsilon": 1e-8, "weightDecay": weight_decay}
        runs.append({**recipe, "parametersAfterEach10": after})

    def rates(name: str, warmup: int, total: int) -> list[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
        scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total)
        values = []
        for _ in range(61):
            values.append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
        return values

    schedules = [
        {"name": name, "learningRate": 1e-3, "warmupSteps": warmup, "totalSteps": 50, "rates": rates(name, warmup, 50)}
        for name, warmup in [("constant", 0), ("constant_with_warmup", 7), ("linear", 0), ("linear", 7), ("cosine", 0), ("cosine", 7)]
    ]
    write_json(OUTPUT, {
        "writtenBy": "reference/optimizer_parity.py",
        "versions": versions("torch", "transformers"),
        "adamw": {"initial": start.tolist(), "gradients": gradient_table.tolist(), "runs": runs},
        "schedules": schedules,
    })
    print(f"optimizer: {OUTPUT.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
