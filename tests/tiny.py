"""Tiny random language models of many families, built from configurations, and a tokenizer for them."""

from __future__ import annotations

import functools
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

_SENTENCES = [
    "Question: What is the capital of France? Answer: The capital of France is Paris.",
    "Who invented the telephone? Alexander Graham Bell invented the telephone in 1876.",
    "You are a helpful assistant. system user assistant",
]

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


_SPECIAL = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|pad|>"}


@functools.cache
def _backend() -> str:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|pad|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_SENTENCES * 5, trainer)
    return backend.to_str()


def tiny_tokenizer(*, chat: bool = True, bos: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of 400 tokens, with a chat template or not, with BOS put first or not."""
    backend = Tokenizer.from_str(_backend())
    if bos:
        from tokenizers.processors import TemplateProcessing

        backend.post_processor = TemplateProcessing(
            single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, chat_template=TEMPLATE if chat else None, **_SPECIAL
    )


_SIZES: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GPT2_SIZES = {"vocab_size": 400, "n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 256}
_EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}

FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", _SIZES),
    "mistral": ("MistralConfig", _SIZES | {"sliding_window": 8}),
    "qwen2": ("Qwen2Config", _SIZES),
    "qwen3": ("Qwen3Config", _SIZES),
    "gemma2": ("Gemma2Config", _SIZES | {"sliding_window": 8, "query_pre_attn_scalar": 8}),
    "gemma3": ("Gemma3TextConfig", _SIZES | {"sliding_window": 8, "query_pre_attn_scalar": 8}),
    "phi3": ("Phi3Config", _SIZES),
    "gpt2": ("GPT2Config", _GPT2_SIZES),
    "gpt_neox": ("GPTNeoXConfig", _SIZES),
    "opt": ("OPTConfig", {**_SIZES, "ffn_dim": 64, "word_embed_proj_dim": 32}),
    "opt_narrow": ("OPTConfig", {**_SIZES, "ffn_dim": 64, "word_embed_proj_dim": 16}),
    "falcon": ("FalconConfig", {k: v for k, v in _SIZES.items() if k != "head_dim"}),
    "olmo2": ("Olmo2Config", _SIZES),
    "mixtral": ("MixtralConfig", _SIZES | _EXPERTS),
    "qwen3_moe": ("Qwen3MoeConfig", _SIZES | _EXPERTS),
    "bloom": ("BloomConfig", _SIZES | {"n_layer": 4, "n_head": 4}),
    "cohere": ("CohereConfig", _SIZES | {"logit_scale": 0.25}),
    "granite": ("GraniteConfig", _SIZES | {"logits_scaling": 4.0}),
}


def tiny_model(family: str = "llama", seed: int = 0) -> Any:
    """A random float32 model of 4 blocks of width 32."""
    config_class, sizes = FAMILIES[family]
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(
        getattr(transformers, config_class)(**sizes), dtype=torch.float32
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:  # the usual 0.02 makes blocks that hardly move the state
                parameter.normal_(0.0, 0.15)
            elif parameter.numel():
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()
