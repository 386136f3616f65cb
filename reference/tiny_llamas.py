"""The tiny Llamas of the parity fixtures: weights, adapters, rows. Knows nothing of what is computed with them."""

import copy
from dataclasses import dataclass

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM


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


def lora_parameters(model) -> dict[str, torch.nn.Parameter]:
    """LoRA's parameters under the names of adapter_model.safetensors."""
    return {name.replace(".default.weight", ".weight"): p for name, p in model.named_parameters() if "lora_" in name}


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
