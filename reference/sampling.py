"""Writes the sampling fixture: what transformers' logits processors, in the order in which `generate` applies them, leave of logits."""

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from fixture_files import REPOSITORY, versions, write_json

OUTPUT = REPOSITORY / "src/engine/train/fixtures/sampling.json"
VOCABULARY = 67
CASES = [
    {},
    {"temperature": 0.6},
    {"temperature": 2.5},
    {"top_k": 1},
    {"top_k": 8},
    {"top_k": 500},
    {"top_p": 0.5},
    {"top_p": 0.9},
    {"top_p": 0.999},
    {"top_p": 1e-6},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.7},
    {"temperature": 1.2, "top_k": 20, "top_p": 0.95},
    {"temperature": 1.5, "top_k": 10, "top_p": 0.9, "repetition_penalty": 1.5},
]


def main() -> None:
    torch.manual_seed(5)
    logits = (torch.randn(VOCABULARY) * 3).double()
    # Ties at the eighth largest value: top_k 8 keeps them all.
    eighth = logits.sort(descending=True).values[7]
    logits[[3, 40]] = eighth
    previous = [3, 11, 11, 40, 66, int(logits.argmax())]
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1
    )
    model = LlamaForCausalLM(config)
    cases = []
    for options in CASES:
        # generate's own defaults would bring a top_k of 50.
        settings = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0, **options}
        processors = model._get_logits_processor(
            GenerationConfig(do_sample=True, **settings), input_ids_seq_length=len(previous), device="cpu", model_kwargs={}
        )
        scores = processors(torch.tensor([previous]), logits[None].clone())[0]
        cases.append({"options": settings, "order": [type(p).__name__ for p in processors], "probabilities": scores.softmax(-1).tolist()})
    write_json(
        OUTPUT,
        {
            "writtenBy": "reference/sampling.py",
            "versions": versions("torch", "transformers"),
            "logits": logits.tolist(),
            "previous": previous,
            "cases": cases,
        },
    )


if __name__ == "__main__":
    main()
