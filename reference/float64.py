"""Runs a transformers Llama wholly in float64: transformers itself computes norms and rotations in f32 whatever the weights' type.

With it a test can tell the engine's own rounding from that of transformers in f32.
"""

import types

import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm, LlamaRotaryEmbedding


def _norm(self, hidden: torch.Tensor) -> torch.Tensor:
    """x / sqrt(mean(x^2) + eps) * w in x's own type. hidden [..., D]."""
    return self.weight * (hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + self.variance_epsilon))


def _rotation(self, hidden: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines [rows, tokens, head size] in hidden's type, of the frequencies that transformers holds."""
    angles = position_ids[..., None].to(hidden.dtype) * self.frequencies
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos() * self.attention_scaling, angles.sin() * self.attention_scaling


def to_float64(model):
    """Turns `model` (a Llama, with PEFT around it or not) to float64 in place. Attention becomes sdpa: the eager softmax is f32."""
    for module in model.modules():
        if isinstance(module, LlamaRMSNorm):
            module.forward = types.MethodType(_norm, module)
        elif isinstance(module, LlamaRotaryEmbedding):
            module.frequencies = module.inv_freq.double()
            module.forward = types.MethodType(_rotation, module)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    inner.set_attn_implementation("sdpa")
    return model.double()
