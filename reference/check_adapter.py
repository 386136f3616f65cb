"""Asks PEFT whether it computes the engine's logits with the adapter that we wrote. Exit code 1 when they are further apart than the bound.

The engine's file is safetensors or JSON with `tokens` [n] (one row), `logits` [positions, columns], and, where `logits` is not [n, V],
`positions` (the tokens whose logits are given) and `vocabIds` (the vocabulary entries that are its columns).
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from fixture_files import REPOSITORY, sha256, versions, write_json
from float64 import to_float64

RECORDS = REPOSITORY / "reference/records/adapters.json"
# Some of PEFT's logits go into the record, so that a test can hold the engine to them without PEFT.
SAMPLE_POSITIONS, SAMPLE_ENTRIES = 6, 16


def load_base(path: Path):
    """A Hugging Face folder or a GGUF file (dequantised), f32."""
    options = dict(dtype=torch.float32, attn_implementation="eager")
    if path.is_file():
        return AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, **options).eval()
    return AutoModelForCausalLM.from_pretrained(str(path), **options).eval()


def base_files(path: Path) -> dict[str, str]:
    """SHA-256 of each file that holds the base's weights or configuration."""
    files = [path] if path.is_file() else sorted([*path.glob("*.safetensors"), path / "config.json"])
    return {file.name: sha256(file) for file in files if not file.name.startswith("fixture")}


def load_engine(path: Path) -> dict[str, torch.Tensor]:
    """The engine's tokens, logits, positions and vocabulary entries; the last two filled in where absent."""
    if path.suffix == ".json":
        values = json.loads(path.read_text(encoding="utf-8"))
        found = {name: torch.tensor(values[name]) for name in ("tokens", "logits", "positions", "vocabIds") if name in values}
    else:
        found = load_file(path)
    for name in ("tokens", "logits"):
        if name not in found:
            raise SystemExit(f"{path}: there is no '{name}', only {sorted(found)}")
    tokens = found["tokens"].long()
    logits = found["logits"].double()
    positions = found["positions"].long() if "positions" in found else torch.arange(len(tokens))
    columns = found["vocabIds"].long() if "vocabIds" in found else torch.arange(logits.shape[-1])
    if tokens.dim() != 1 or logits.shape != (len(positions), len(columns)):
        shapes = f"tokens are {list(tokens.shape)} and logits {list(logits.shape)}"
        raise SystemExit(f"{path}: {shapes}, not [n] and [{len(positions)}, {len(columns)}]")
    if not logits.isfinite().all():
        raise SystemExit(f"{path}: some logits are not finite")
    return {"tokens": tokens, "logits": logits, "positions": positions, "vocabIds": columns}


def spread(count: int, of: int) -> list[int]:
    """Up to `count` of the numbers below `of`, evenly spread, both ends among them."""
    return sorted({round(i * (of - 1) / max(1, count - 1)) for i in range(count)})


def sample(engine: dict[str, torch.Tensor], tuned: torch.Tensor) -> dict:
    """Some of PEFT's logits [positions, columns], with the tokens and the vocabulary entries that they belong to."""
    rows, columns = spread(SAMPLE_POSITIONS, tuned.shape[0]), spread(SAMPLE_ENTRIES, tuned.shape[1])
    return {
        "positions": engine["positions"][rows].tolist(),
        "vocabIds": engine["vocabIds"][columns].tolist(),
        "logits": [[round(value, 7) for value in row] for row in tuned[rows][:, columns].tolist()],
    }


def check_loaded(model: PeftModel, adapter: Path) -> None:
    """PEFT only warns of names that it does not know or misses: hold what it loaded to the file, name by name."""
    file = load_file(adapter / "adapter_model.safetensors")
    loaded = get_peft_model_state_dict(model)
    if file.keys() != loaded.keys():
        only_file, only_model = sorted(file.keys() - loaded.keys()), sorted(loaded.keys() - file.keys())
        raise SystemExit(f"{adapter}: only in the file {only_file}, only in PEFT's model {only_model}")
    for name, value in file.items():
        if not torch.equal(value.float(), loaded[name].float()):
            raise SystemExit(f"{adapter}: PEFT holds other values for {name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, help="Hugging Face folder, or a .gguf file")
    parser.add_argument("adapter", type=Path, help="folder with adapter_config.json and adapter_model.safetensors")
    parser.add_argument("engine_logits", type=Path, help="what the engine computed with this adapter: .safetensors or .json")
    parser.add_argument("--bound", type=float, default=1e-4, help="largest absolute difference allowed (default 1e-4)")
    parser.add_argument("--float64", action="store_true", help="let PEFT compute in float64, which leaves the engine's rounding alone")
    parser.add_argument("--record", metavar="NAME", help="add the result to reference/records/adapters.json under this name")
    options = parser.parse_args()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True)

    engine = load_engine(options.engine_logits)
    model = PeftModel.from_pretrained(load_base(options.base), str(options.adapter)).eval()
    check_loaded(model, options.adapter)
    vocabulary = model.get_base_model().config.vocab_size
    for name in ("tokens", "vocabIds"):
        if int(engine[name].max()) >= vocabulary:
            largest = int(engine[name].max())
            raise SystemExit(f"{options.engine_logits}: '{name}' reaches {largest}, past the base's vocabulary of {vocabulary}")
    if options.float64:
        model = to_float64(model)

    def logits() -> torch.Tensor:
        found = model(input_ids=engine["tokens"][None]).logits[0].double()
        return found[engine["positions"]][:, engine["vocabIds"]]

    with torch.no_grad():
        tuned = logits()
        with model.disable_adapter():
            base = logits()
    difference = (engine["logits"] - tuned).abs().max().item()
    effect = (tuned - base).abs().max().item()
    print(f"{tuned.numel()} logits of {len(engine['tokens'])} tokens: max abs difference {difference:.3g}, bound {options.bound:g}; "
          f"the adapter moves them by up to {effect:.3g}, the largest is {tuned.abs().max().item():.3g}")
    if effect < 10 * options.bound:
        print("the adapter does next to nothing to these logits, so that they prove nothing", file=sys.stderr)
        return 1
    if not difference <= options.bound:
        return 1
    if options.record:
        records = json.loads(RECORDS.read_text(encoding="utf-8")) if RECORDS.exists() else {}
        records[options.record] = {
            "versions": versions("torch", "transformers", "peft", "safetensors", *(["gguf"] if options.base.is_file() else [])),
            "base": base_files(options.base),
            "adapter": {name: sha256(options.adapter / name) for name in ("adapter_config.json", "adapter_model.safetensors")},
            "peftComputedIn": "float64" if options.float64 else "float32",
            "tokens": engine["tokens"].tolist(),
            "logits": tuned.numel(),
            "adapterEffect": effect,
            "bound": options.bound,
            "maxAbsDifference": difference,
            "sample": sample(engine, tuned),
        }
        write_json(RECORDS, dict(sorted(records.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
