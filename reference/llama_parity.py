"""Writes the engine's parity fixtures for tiny Llamas: logits, loss, gradients, 50-step LoRA curves, greedy text; and the optimizer's.

Everything is f32 on a CPU with eager attention and one thread. README.md beside this file documents what is written.
"""

import argparse
import copy
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PrinterCallback, Trainer, TrainingArguments, get_scheduler
from transformers.utils import logging as transformers_logging

from fixture_files import REPOSITORY, relative_error, save_adapter, versions, write_json, write_tensors

MODELS = REPOSITORY / "src/engine/models/fixtures"
OPTIMIZER = REPOSITORY / "src/engine/train/fixtures/optimizer.json"
STEPS, BATCH, ACCUMULATION, WARMUP = 50, 2, 2, 5
GENERATED = 16


@dataclass
class Curve:
    """The recipe of a 50-step run."""

    learning_rate: float
    max_grad_norm: float
    schedules: tuple[str, ...] = ("cosine",)
    weight_decay: float = 0.01


@dataclass
class Case:
    """One tiny model and what is asked of it. `lengths`: tokens of each row of the batch; `prompts`: how many of them are masked."""

    name: str
    seed: int
    config: dict
    weight_std: float
    embedding_std: float
    lengths: list[int]
    prompts: list[int]
    rank: int = 4
    alpha: int = 8
    targets: str | list[str] = "all-linear"
    base_gradients: list[str] | None = None
    curve: Curve | None = None


CASES = [
    Case(
        name="tied-gqa",
        seed=11,
        config=dict(
            vocab_size=96, hidden_size=40, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, head_dim=12, tie_word_embeddings=True, rms_norm_eps=1e-5, max_position_embeddings=128,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        ),
        weight_std=0.15,
        embedding_std=0.3,
        lengths=[13, 1, 7, 29, 5],
        prompts=[4, 1, 1, 11, 4],
        curve=Curve(learning_rate=1e-2, max_grad_norm=2.0),
    ),
    Case(
        name="untied-llama3",
        seed=12,
        config=dict(
            vocab_size=256, hidden_size=64, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=1, head_dim=16, tie_word_embeddings=False, rms_norm_eps=1e-6, max_position_embeddings=256,
            rope_parameters={
                "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
            },
        ),
        weight_std=0.12,
        embedding_std=0.25,
        lengths=[41, 6, 17],
        prompts=[9, 2, 1],
        base_gradients=[
            "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight", "model.layers.0.input_layernorm.weight",
            "model.layers.0.self_attn.k_proj.weight", "model.layers.1.mlp.down_proj.weight",
        ],
        curve=Curve(learning_rate=1e-2, max_grad_norm=3.0, schedules=("cosine", "linear")),
    ),
    Case(
        name="bias",
        seed=14,
        config=dict(
            vocab_size=131, hidden_size=32, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, head_dim=8, tie_word_embeddings=False, rms_norm_eps=1e-5, max_position_embeddings=128,
            attention_bias=True, mlp_bias=True, rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        ),
        weight_std=0.2,
        embedding_std=0.3,
        lengths=[9, 19, 3, 10],
        prompts=[3, 1, 2, 6],
        rank=3,
        targets=["q_proj", "v_proj"],
        base_gradients=[
            "model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.o_proj.bias", "model.layers.1.mlp.gate_proj.bias",
            "model.layers.1.mlp.down_proj.bias",
        ],
    ),
]


def make_base(case: Case) -> LlamaForCausalLM:
    """A Llama with random weights of a scale at which logits, attention and gradients are not trivial. Tokens 1 and 2 are not special."""
    config = LlamaConfig(**case.config, bos_token_id=None, eos_token_id=None, pad_token_id=None)
    config._attn_implementation = "eager"
    model = LlamaForCausalLM(config).to(torch.float32).eval()
    random = torch.Generator().manual_seed(case.seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=random)
            if name.endswith("norm.weight"):
                parameter.copy_(1 + 0.2 * noise)
            elif "embed_tokens" in name or "lm_head" in name:
                parameter.copy_(case.embedding_std * noise)
            else:
                parameter.copy_(case.weight_std * noise)
    return model


def make_lora(base: LlamaForCausalLM, case: Case, random_b: bool):
    """A copy of `base` with PEFT's LoRA: its standard start (B = 0), or with both A and B random."""
    torch.manual_seed(case.seed + 1000)
    config = LoraConfig(
        r=case.rank, lora_alpha=case.alpha, target_modules=copy.copy(case.targets), lora_dropout=0.0, bias="none", task_type="CAUSAL_LM"
    )
    model = get_peft_model(copy.deepcopy(base), config)
    if random_b:
        random = torch.Generator().manual_seed(case.seed + 2000)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_" in name:
                    parameter.copy_(0.2 * torch.randn(parameter.shape, generator=random))
    return model


def random_rows(case: Case) -> list[dict]:
    """The batch: rows of random tokens, the first `prompt` tokens of each without loss (token 0 never has loss)."""
    random = torch.Generator().manual_seed(case.seed + 3000)
    rows = []
    for length, prompt in zip(case.lengths, case.prompts):
        tokens = torch.randint(0, case.config["vocab_size"], (length,), generator=random).tolist()
        rows.append({"tokens": tokens, "lossMask": [int(i >= prompt) for i in range(length)]})
    # A hole in the mask, as between the turns of a chat.
    rows[0]["lossMask"][case.prompts[0] + 2] = 0
    return rows


def learnable_rows(case: Case) -> list[dict]:
    """24 rows for the curves: a random prompt (masked), then a completion that its first token decides, so that there is much to learn."""
    random = torch.Generator().manual_seed(case.seed + 4000)
    vocab = case.config["vocab_size"]

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=random))

    rows = []
    for index in range(24):
        prompt = [draw(16, vocab) for _ in range(draw(1, 9))]
        completion = [(prompt[0] % 4) * 4 + j % 3 for j in range(draw(3, 13))]
        tokens = prompt + completion
        # Every fourth row has loss on its prompt as well, as text without a template has.
        first = 1 if index % 4 == 0 else len(prompt)
        rows.append({"tokens": tokens, "lossMask": [int(i >= first) for i in range(len(tokens))]})
    return rows


def ragged(rows: list[dict]) -> dict:
    """Rows one after another: `tokens` and `lossMask` [total], `rowOffsets` [rows + 1]."""
    offsets = [0]
    for row in rows:
        offsets.append(offsets[-1] + len(row["tokens"]))
    return {
        "tokens": [t for row in rows for t in row["tokens"]],
        "rowOffsets": offsets,
        "lossMask": [m for row in rows for m in row["lossMask"]],
    }


def loss_count(rows: list[dict]) -> int:
    return sum(sum(row["lossMask"]) for row in rows)


def labels_of(row: dict) -> list[int]:
    return [token if mask else -100 for token, mask in zip(row["tokens"], row["lossMask"])]


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    """Rows padded on the right with token 0, as a Trainer's collator does."""
    longest = max(len(row["tokens"]) for row in rows)
    return {
        "input_ids": torch.tensor([row["tokens"] + [0] * (longest - len(row["tokens"])) for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row["tokens"]) + [0] * (longest - len(row["tokens"])) for row in rows]),
        "labels": torch.tensor([labels_of(row) + [-100] * (longest - len(row["tokens"])) for row in rows]),
    }


def summed_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sum of cross-entropy; the logits of token i - 1 predict token i. logits [rows, tokens, V], labels [rows, tokens]."""
    return cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]), labels[:, 1:].reshape(-1), ignore_index=-100, reduction="sum")


def row_losses(model, rows: list[dict]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Logits [total tokens, V] of each row by itself, without padding, and each row's summed loss."""
    logits, losses = [], []
    for row in rows:
        out = model(input_ids=torch.tensor([row["tokens"]])).logits
        logits.append(out[0])
        losses.append(summed_loss(out, torch.tensor([labels_of(row)])))
    return torch.cat(logits), losses


def gradients(model, rows: list[dict], parameters: dict[str, torch.nn.Parameter]) -> tuple[dict, dict[str, torch.Tensor]]:
    """Loss, logits and the gradients of `parameters`, held against the same rows as one padded batch."""
    model.zero_grad()
    logits, losses = row_losses(model, rows)
    loss = sum(losses) / loss_count(rows)
    loss.backward()
    found = {name: p.grad.detach().clone() for name, p in parameters.items()}
    model.zero_grad()
    batch = collate(rows)
    (summed_loss(model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits, batch["labels"]) / loss_count(rows)).backward()
    rounding = max(relative_error(p.grad, found[name]) for name, p in parameters.items() if found[name].norm() > 0)
    model.zero_grad()
    summary = {
        "loss": loss.item(),
        "rowLossSums": [value.item() for value in losses],
        "logitsAbsMax": logits.abs().max().item(),
        "gradientDifferenceToPaddedBatch": rounding,
    }
    return summary, {"logits": logits, **found}


def lora_parameters(model) -> dict[str, torch.nn.Parameter]:
    """LoRA's parameters under the names of adapter_model.safetensors."""
    return {name.replace(".default.weight", ".weight"): p for name, p in model.named_parameters() if "lora_" in name}


def greedy(model, prompts: list[list[int]]) -> tuple[list[list[int]], float]:
    """The tokens that `generate` appends to each prompt, and the smallest lead of a chosen logit over the next best."""
    answers, lead = [], float("inf")
    for prompt in prompts:
        ids = torch.tensor([prompt])
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=GENERATED, pad_token_id=0,
            return_dict_in_generate=True, output_logits=True,
        )
        answers.append(out.sequences[0, len(prompt):].tolist())
        for logits in out.logits:
            best = logits[0].topk(2).values
            lead = min(lead, (best[0] - best[1]).item())
    return answers, lead


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


def write_case(case: Case) -> None:
    folder = MODELS / case.name
    shutil.rmtree(folder, ignore_errors=True)
    base = make_base(case)
    base.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    rows = random_rows(case)
    tensors: dict[str, torch.Tensor] = {}

    parameters = dict(base.named_parameters())
    wanted = {name: parameters[name] for name in case.base_gradients or parameters}
    base_summary, found = gradients(base, rows, wanted)
    tensors["base.logits"] = found.pop("logits")
    tensors |= {f"base.grad/{name}": value for name, value in found.items()}

    lora = make_lora(base, case, random_b=True)
    save_adapter(lora, folder / "adapter")
    lora_summary, found = gradients(lora, rows, lora_parameters(lora))
    tensors["lora.logits"] = found.pop("logits")
    tensors |= {f"lora.grad/{name}": value for name, value in found.items()}
    assert found.keys() == get_peft_model_state_dict(lora).keys()

    # Prompts as they are in the batch: from 3 tokens to as many as the longest row has, up to 20.
    prompts = [rows[0]["tokens"][:6], rows[2]["tokens"][:3], max((row["tokens"] for row in rows), key=len)[:20]]
    base_answers, base_lead = greedy(base, prompts)
    lora_answers, lora_lead = greedy(lora, prompts)
    lead = min(base_lead, lora_lead)
    assert lead > 5e-3, f"{case.name}: a greedy choice is too close to call ({lead})"

    fixture = {
        "case": case.name,
        "writtenBy": "reference/llama_parity.py",
        "versions": versions("torch", "transformers", "peft", "tokenizers", "safetensors"),
        "seed": case.seed,
        "bounds": {"logitsMaxAbs": 1e-4, "gradientRelative": 1e-4, "curveLossRelative": 1e-3, "curveAdapterRelative": 0.02},
        "batch": ragged(rows),
        "lossTokens": loss_count(rows),
        "base": base_summary,
        "lora": {"r": case.rank, "alpha": case.alpha, "targetModules": case.targets, **lora_summary},
        "generation": {"prompts": prompts, "base": base_answers, "lora": lora_answers, "smallestLead": lead},
    }
    if case.curve:
        fixture["curve"], curve_tensors = make_curves(case, base)
        tensors |= curve_tensors
    write_tensors(folder / "fixture.safetensors", tensors)
    write_json(folder / "fixture.json", fixture)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{case.name}: {size / 1024:.0f} KiB, base loss {base_summary['loss']:.4f}, lora loss {lora_summary['loss']:.4f}, "
          f"max |logit| {lora_summary['logitsAbsMax']:.2f}, gradient rounding {lora_summary['gradientDifferenceToPaddedBatch']:.1e}, lead {lead:.3f}")
    for run in fixture.get("curve", {}).get("runs", []):
        print(f"  {run['schedule']}: loss {run['loss'][0]:.4f} -> {run['loss'][-1]:.4f}, clipped {run['clippedSteps']}, {run['differences']}")


def write_optimizer() -> None:
    """torch.optim.AdamW in f64 over 100 given gradients, and transformers' schedules."""
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
        runs.append({"learningRate": 3e-3, "betas": [0.9, 0.999], "epsilon": 1e-8, "weightDecay": weight_decay, "parametersAfterEach10": after})

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
    write_json(OPTIMIZER, {
        "writtenBy": "reference/llama_parity.py",
        "versions": versions("torch", "transformers"),
        "adamw": {"initial": start.tolist(), "gradients": gradient_table.tolist(), "runs": runs},
        "schedules": schedules,
    })
    print(f"optimizer: {OPTIMIZER.stat().st_size / 1024:.0f} KiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="cases to write (default: all), or 'optimizer'")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    for case in CASES:
        if not only or case.name in only:
            write_case(case)
    if not only or "optimizer" in only:
        write_optimizer()


if __name__ == "__main__":
    main()
