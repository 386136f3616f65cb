"""Writes src/export/fixtures/<case>/: LoRA adapters as PEFT's save_pretrained writes them, with random A and B.

plain: rank 4 on two projections. patterns: rsLoRA, dropout, rank and alpha patterns, and a name that JSON must escape.
"""

import shutil

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from fixture_files import REPOSITORY, save_adapter

FIXTURES = REPOSITORY / "src/export/fixtures"
CASES = {
    "plain": {"r": 4, "lora_alpha": 8, "target_modules": ["v_proj", "q_proj"], "base_model_name_or_path": "models/tiny"},
    "patterns": {
        "r": 2,
        "lora_alpha": 3,
        "lora_dropout": 0.05,
        "target_modules": ["down_proj", "k_proj"],
        "use_rslora": True,
        "rank_pattern": {"down_proj": 3},
        "alpha_pattern": {r"layers\.1\..*k_proj": 12},
        "base_model_name_or_path": 'caf\u00e9 "\u6f22\U0001f600"',
    },
}


def main() -> None:
    for name, settings in CASES.items():
        torch.manual_seed(5)
        base = LlamaForCausalLM(
            LlamaConfig(vocab_size=16, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, head_dim=4)
        )
        model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **settings))
        for parameter_name, parameter in model.named_parameters():
            if "lora_" in parameter_name:
                torch.nn.init.normal_(parameter)
        # get_peft_model puts the base model's own path, which is empty here, in place of ours.
        model.peft_config["default"].base_model_name_or_path = settings["base_model_name_or_path"]
        shutil.rmtree(FIXTURES / name, ignore_errors=True)
        save_adapter(model, FIXTURES / name)


if __name__ == "__main__":
    main()
