"""Trains a tiny Llama's LoRA for 50 steps in a loop of its own, and holds that loop to transformers.Trainer."""

import tempfile

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from transformers import LlamaForCausalLM, PrinterCallback, Trainer, TrainingArguments, get_scheduler

from tiny_llamas import Case, Curve, collate, learnable_rows, lora_parameters, loss_count, make_lora, ragged, summed_loss

STEPS, BATCH, ACCUMULATION, WARMUP = 50, 2, 2, 5


def row_order(case: Case, rows: int) -> list[list[int]]:
    """Row indices of each step: epochs of shuffled rows, cut into steps of BATCH * ACCUMULATION."""
    random = torch.Generator().manual_seed(case.seed + 5000)
    size = BATCH * ACCUMULATION
    order: list[int] = []
    while len(order) < STEPS * size:
        order += torch.randperm(rows, generator=random).tolist()
    return [order[i * size:(i + 1) * size] for i in range(STEPS)]


def train(model, rows: list[dict], order: list[list[int]], curve: Curve, schedule: str, micro_batch: int) -> dict:
    """The loop in the open: micro-batches, token-averaged loss, clipping, AdamW, schedule. Leaves the trained LoRA in `model`."""
    parameters = list(lora_parameters(model).values())
    optimizer = torch.optim.AdamW(
        parameters, lr=curve.learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=curve.weight_decay, foreach=False, fused=False
    )
    scheduler = get_scheduler(schedule, optimizer, num_warmup_steps=WARMUP, num_training_steps=STEPS)
    record: dict[str, list] = {"loss": [], "gradNorm": [], "learningRate": [], "lossTokens": []}
    for indices in order:
        step_rows = [rows[i] for i in indices]
        count = loss_count(step_rows)
        total = 0.0
        for start in range(0, len(step_rows), micro_batch):
            batch = collate(step_rows[start:start + micro_batch])
            logits = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            loss = summed_loss(logits, batch["labels"]) / count
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(parameters, curve.max_grad_norm).item()
        record["loss"].append(total)
        record["gradNorm"].append(norm)
        record["learningRate"].append(scheduler.get_last_lr()[0])
        record["lossTokens"].append(count)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return record


def train_by_trainer(model, rows: list[dict], order: list[list[int]], curve: Curve, schedule: str) -> dict:
    """The same run by transformers.Trainer, rows handed to it in the same order."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=STEPS, per_device_train_batch_size=BATCH, gradient_accumulation_steps=ACCUMULATION,
            learning_rate=curve.learning_rate, lr_scheduler_type=schedule, warmup_steps=WARMUP, weight_decay=curve.weight_decay,
            max_grad_norm=curve.max_grad_norm, optim="adamw_torch", logging_steps=1, report_to="none", use_cpu=True, save_strategy="no",
            remove_unused_columns=False, train_sampling_strategy="sequential", disable_tqdm=True, dataloader_pin_memory=False,
        )
        dataset = [rows[i] for indices in order for i in indices]
        trainer = Trainer(model=model, args=arguments, train_dataset=dataset, data_collator=collate)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        logs = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert len(logs) == STEPS, f"Trainer logged {len(logs)} steps, not {STEPS}"
    return {
        "loss": [entry["loss"] for entry in logs],
        "gradNorm": [float(entry["grad_norm"]) for entry in logs],
        "learningRate": [entry["learning_rate"] for entry in logs],
    }


def worst(values: list[float], expected: list[float]) -> float:
    return max(abs(v - e) / max(abs(e), 1e-12) for v, e in zip(values, expected))


def adapter_difference(state: dict, other: dict, initial: dict) -> float:
    """Frobenius norm of the difference over that of what was learnt (trained minus initial), over all tensors together."""
    apart = sum((state[n].double() - other[n].double()).square().sum() for n in state).sqrt()
    learnt = sum((state[n].double() - initial[n].double()).square().sum() for n in state).sqrt()
    return (apart / learnt).item()


def make_curves(case: Case, base: LlamaForCausalLM) -> tuple[dict, dict[str, torch.Tensor]]:
    """The case's curves, and how far Trainer and another grouping of the same rows are from them."""
    assert case.curve
    rows = learnable_rows(case)
    order = row_order(case, len(rows))
    start = make_lora(base, case, random_b=False)
    initial = {name: value.clone() for name, value in get_peft_model_state_dict(start).items()}
    tensors = {f"curve.initial/{name}": value for name, value in initial.items()}
    runs = []
    for schedule in case.curve.schedules:
        states, records = {}, {}
        for kind in ("plain", "rowByRow", "trainer"):
            model = make_lora(base, case, random_b=False)
            set_peft_model_state_dict(model, initial)
            if kind == "trainer":
                records[kind] = train_by_trainer(model, rows, order, case.curve, schedule)
            else:
                records[kind] = train(model, rows, order, case.curve, schedule, BATCH if kind == "plain" else 1)
            states[kind] = {name: value.clone() for name, value in get_peft_model_state_dict(model).items()}
        plain = records["plain"]
        clipped = sum(norm > case.curve.max_grad_norm for norm in plain["gradNorm"])
        assert 0 < clipped < STEPS, f"{case.name}: clipping should bite on some steps, not {clipped} of {STEPS}"
        tensors |= {f"curve.final.{schedule}/{name}": value for name, value in states["plain"].items()}
        differences = {}
        for kind in ("rowByRow", "trainer"):
            differences[kind] = {key: worst(records[kind][key], plain[key]) for key in records[kind] if key != "lossTokens"}
            differences[kind]["adapter"] = adapter_difference(states["plain"], states[kind], initial)
            assert differences[kind]["loss"] < 1e-4, f"{case.name} {schedule}: {kind} is off by {differences[kind]}"
        runs.append({"schedule": schedule, **plain, "clippedSteps": clipped, "differences": differences})
    recipe = {
        "steps": STEPS, "batch": BATCH, "accumulation": ACCUMULATION, "warmupSteps": WARMUP, "learningRate": case.curve.learning_rate,
        "betas": [0.9, 0.999], "epsilon": 1e-8, "weightDecay": case.curve.weight_decay, "maxGradNorm": case.curve.max_grad_norm,
    }
    return {"recipe": recipe, "table": ragged(rows), "rowsOfStep": order, "runs": runs}, tensors
