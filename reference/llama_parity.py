"""Writes the engine's parity fixtures for tiny Llamas: logits, loss, gradients, 50-step LoRA curves, greedy text.

Everything is f32 on a CPU with eager attention and one thread. README.md beside this file documents what is written.
"""

import argparse
import shutil

import torch
from peft import get_peft_model_state_dict
from transformers.utils import logging as transformers_logging

from fixture_files import REPOSITORY, relative_error, save_adapter, versions, write_json, write_tensors
from lora_curves import make_curves
from tiny_llamas import CASES, Case, collate, labels_of, lora_parameters, loss_count, make_base, make_lora, ragged, random_rows, summed_loss

MODELS = REPOSITORY / "src/engine/models/fixtures"
GENERATED = 16


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
    print(
        f"{case.name}: {size / 1024:.0f} KiB, loss {base_summary['loss']:.4f}, with LoRA {lora_summary['loss']:.4f}, "
        f"gradients' rounding {lora_summary['gradientDifferenceToPaddedBatch']:.1e}, smallest lead {lead:.3f}"
    )
    for run in fixture.get("curve", {}).get("runs", []):
        print(f"  {run['schedule']}: {run['loss'][0]:.4f} -> {run['loss'][-1]:.4f}, clipped {run['clippedSteps']}, {run['differences']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="cases to write (default: all)")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    for case in CASES:
        if not only or case.name in only:
            write_case(case)


if __name__ == "__main__":
    main()
