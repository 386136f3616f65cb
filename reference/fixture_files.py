"""How every program here writes its fixtures: f32 safetensors, readable JSON, and the versions that made them."""

import hashlib
import json
import platform
import re
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("torch", "transformers", "peft", "trl", "olive-ai", "gguf", "tokenizers", "safetensors")


def versions(*packages: str) -> dict[str, str]:
    """Versions of `packages` (all that the fixtures rest on when none is named) and of Python."""
    return {"python": platform.python_version(), **{name: version(name) for name in packages or PACKAGES}}


def write_json(path: Path, value: dict) -> None:
    """Writes `value` with one key a line; a list of plain values stays on one line."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r",\s*\n\s*", ", ", m.group(1)) + "]", text)
    assert json.loads(text) == json.loads(json.dumps(value)), f"{path}: a string was changed by the layout"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Writes `tensors` as f32 safetensors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: t.detach().to(torch.float32).contiguous().clone() for name, t in tensors.items()}, path)


def save_adapter(model, folder: Path) -> None:
    """PEFT's own save_pretrained, less its empty model card; target_modules, a set whose order changes from run to run, is sorted."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def relative_error(value: torch.Tensor, expected: torch.Tensor) -> float:
    """Frobenius norm of the difference over that of `expected`."""
    return ((value.double() - expected.double()).norm() / expected.double().norm()).item()
