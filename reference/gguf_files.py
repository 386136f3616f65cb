"""Writes src/formats/fixtures/{tiny-llama,values}.gguf and what is in them: tensors as transformers loads them, metadata as gguf reads it.

tiny-llama has every weight type that is opened, grouped-query attention, biases, an output matrix and rope_freqs; its query and key rows
are interleaved as llama.cpp's converter does it. values has every metadata type and an alignment of its own.
"""

import hashlib
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFValueType as Value
from transformers import AutoModelForCausalLM

from fixture_files import REPOSITORY, versions, write_json

FIXTURES = REPOSITORY / "src/formats/fixtures"
HIDDEN, INNER, HEADS, KEY_VALUE_HEADS, HEAD, LAYERS, VOCABULARY = 64, 96, 4, 2, 32, 2, 48


def interleave(weights: np.ndarray, heads: int) -> np.ndarray:
    """`LlamaModel.permute` of llama.cpp's convert_hf_to_gguf.py."""
    rows = weights.shape[0] // heads
    return weights.reshape(heads, 2, rows // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def digest(values: np.ndarray) -> str:
    """SHA-256 of the f32 bytes."""
    return hashlib.sha256(np.ascontiguousarray(values, np.float32).tobytes()).hexdigest()


def write_llama(path: Path) -> tuple[dict[str, str], dict[str, list[int]]]:
    """Writes the file; gives digests and shapes under Hugging Face's names, of the values before they were interleaved."""
    generator = np.random.default_rng(11)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(500000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    digests, shapes = {}, {}

    def tensor(name: str, hugging_face: str, kind: Kind, *shape: int, heads: int = 0) -> None:
        values = generator.normal(size=shape).astype(np.float32)
        data = gguf.quantize(interleave(values, heads) if heads else values, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
        digests[hugging_face] = digest(gguf.dequantize(gguf.quantize(values, kind), kind).reshape(shape))
        shapes[hugging_face] = list(shape)

    tensor("token_embd.weight", "model.embed_tokens.weight", Kind.Q8_0, VOCABULARY, HIDDEN)
    for i, kinds in enumerate([(Kind.Q4_0, Kind.Q4_1, Kind.Q8_0), (Kind.F16, Kind.BF16, Kind.F32)]):
        block, layer = f"blk.{i}", f"model.layers.{i}"
        query, inner = HEADS * HEAD, KEY_VALUE_HEADS * HEAD
        tensor(f"{block}.attn_norm.weight", f"{layer}.input_layernorm.weight", Kind.F32, HIDDEN)
        tensor(f"{block}.attn_q.weight", f"{layer}.self_attn.q_proj.weight", kinds[0], query, HIDDEN, heads=HEADS)
        tensor(f"{block}.attn_k.weight", f"{layer}.self_attn.k_proj.weight", kinds[1], inner, HIDDEN, heads=KEY_VALUE_HEADS)
        tensor(f"{block}.attn_v.weight", f"{layer}.self_attn.v_proj.weight", kinds[2], inner, HIDDEN)
        tensor(f"{block}.attn_q.bias", f"{layer}.self_attn.q_proj.bias", Kind.F32, query, heads=HEADS)
        tensor(f"{block}.attn_k.bias", f"{layer}.self_attn.k_proj.bias", Kind.F32, inner, heads=KEY_VALUE_HEADS)
        tensor(f"{block}.attn_v.bias", f"{layer}.self_attn.v_proj.bias", Kind.F32, inner)
        tensor(f"{block}.attn_output.weight", f"{layer}.self_attn.o_proj.weight", kinds[1], HIDDEN, query)
        tensor(f"{block}.attn_output.bias", f"{layer}.self_attn.o_proj.bias", Kind.F32, HIDDEN)
        tensor(f"{block}.ffn_norm.weight", f"{layer}.post_attention_layernorm.weight", Kind.F32, HIDDEN)
        tensor(f"{block}.ffn_gate.weight", f"{layer}.mlp.gate_proj.weight", kinds[0], INNER, HIDDEN)
        tensor(f"{block}.ffn_up.weight", f"{layer}.mlp.up_proj.weight", kinds[1], INNER, HIDDEN)
        tensor(f"{block}.ffn_down.weight", f"{layer}.mlp.down_proj.weight", kinds[2], HIDDEN, INNER)
    tensor("output_norm.weight", "model.norm.weight", Kind.F32, HIDDEN)
    tensor("output.weight", "lm_head.weight", Kind.Q4_0, VOCABULARY, HIDDEN)
    writer.add_tensor("rope_freqs.weight", np.linspace(1, 8, HEAD // 2, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return digests, shapes


def write_values(path: Path) -> dict:
    """Writes a file of metadata alone; gives the values, 64-bit integers past 2^53 as strings."""
    scalars = {
        Value.UINT8: 200, Value.INT8: -100, Value.UINT16: 60000, Value.INT16: -30000, Value.UINT32: 4000000000, Value.INT32: -2000000000,
        Value.FLOAT32: 0.5, Value.BOOL: True, Value.STRING: "\ufeffa \u00e9 \u6f22 \U0001f600", Value.UINT64: 2**63 + 1, Value.INT64: -(2**53),
        Value.FLOAT64: 1 / 3,
    }  # fmt: skip
    writer = gguf.GGUFWriter(path, "loratory-values")
    writer.add_custom_alignment(64)
    expected: dict = {"general.architecture": "loratory-values", "general.alignment": 64}

    def plain(value):
        return str(value) if isinstance(value, int) and abs(value) > 2**53 else value

    for kind, value in scalars.items():
        name = kind.name.lower()
        writer.add_key_value(f"one.{name}", value, kind)
        writer.add_key_value(f"list.{name}", [value, value, value], Value.ARRAY, sub_type=kind)
        expected[f"one.{name}"] = plain(value)
        expected[f"list.{name}"] = [plain(value)] * 3
    writer.add_tensor("a", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("b", np.zeros((1, 256 // 256 * 144), np.uint8), raw_dtype=Kind.Q4_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


def main() -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    digests, shapes = write_llama(FIXTURES / "tiny-llama.gguf")
    model = AutoModelForCausalLM.from_pretrained(FIXTURES, gguf_file="tiny-llama.gguf", dtype=torch.float32)
    loaded = {name: digest(value.numpy()) for name, value in model.state_dict().items()}
    for name, value in loaded.items():
        assert digests[name] == value, f"{name}: transformers loads other values"
    assert {name for name in digests if name not in loaded} == {name for name in digests if name.endswith(".bias")}
    metadata = write_values(FIXTURES / "values.gguf")
    write_json(
        FIXTURES / "gguf-files.json",
        {
            "program": "reference/gguf_files.py",
            "versions": versions("gguf", "numpy", "torch", "transformers"),
            "tensors": {name: {"shape": shapes[name], "sha256": value, "transformers": name in loaded} for name, value in digests.items()},
            "ropeFactors": np.linspace(1, 8, HEAD // 2, dtype=np.float32).tolist(),
            "metadata": metadata,
        },
    )


if __name__ == "__main__":
    main()
