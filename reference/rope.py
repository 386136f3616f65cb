"""Writes the fixture of the rotary embedding: what transformers' Llama makes of each way to configure it."""

import copy

import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from fixture_files import REPOSITORY, versions, write_json

FIXTURE = REPOSITORY / "src/engine/ops/rope/fixtures/rope.json"
POSITIONS = [0, 1, 17, 1023, 8191]
LLAMA3 = dict(factor=32.0, high_freq_factor=4.0, low_freq_factor=1.0, original_max_position_embeddings=8192)

# Head size and the rotary part of config.json, in transformers 5's words and in older ones.
CASES = {
    "default": (64, dict(rope_parameters=dict(rope_theta=10000.0, rope_type="default"))),
    "default, old": (128, dict(rope_theta=500000.0, rope_scaling=None)),
    "no theta": (16, dict()),
    "linear": (64, dict(rope_parameters=dict(rope_theta=10000.0, rope_type="linear", factor=2.5))),
    "linear, old": (12, dict(rope_theta=10000.0, rope_scaling=dict(type="linear", factor=4.0))),
    "llama3": (64, dict(rope_parameters=dict(rope_theta=500000.0, rope_type="llama3", **LLAMA3))),
    "llama3, old": (128, dict(rope_theta=500000.0, rope_scaling=dict(rope_type="llama3", **LLAMA3))),
    "llama3, original length from the model's": (
        16,
        dict(
            max_position_embeddings=32,
            rope_parameters=dict(rope_theta=10000.0, rope_type="llama3", factor=8.0, high_freq_factor=4.0, low_freq_factor=1.0),
        ),
    ),
}


def main() -> None:
    cases = {}
    for name, (head_size, config) in CASES.items():
        rotary = LlamaRotaryEmbedding(LlamaConfig(head_dim=head_size, **copy.deepcopy(config)))
        cos, sin = rotary(torch.zeros(1), torch.tensor([POSITIONS]))
        half = head_size // 2
        cases[name] = {
            "headSize": head_size,
            "config": config,
            "inverseFrequencies": rotary.inv_freq.tolist(),
            "cos": cos[0, :, :half].flatten().tolist(),
            "sin": sin[0, :, :half].flatten().tolist(),
        }
    write_json(FIXTURE, {"program": "reference/rope.py", "versions": versions("torch", "transformers"), "positions": POSITIONS, "cases": cases})


if __name__ == "__main__":
    main()
