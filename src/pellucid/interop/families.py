"""config.json of Hugging Face, family by family, as a ModelConfig; what that cannot express is refused by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from pellucid.errors import InputError
from pellucid.interop.settings import Settings
from pellucid.model.config import Activation, ModelConfig

HARMLESS = frozenset(
    # about the file, about training, and about what transformers gives back
    [
        "_name_or_path",
        "_num_labels",
        "_attn_implementation",
        "_attn_implementation_autoset",
        "_commit_hash",
        "_from_model_config",
        "architectures",
        "attention_dropout",
        "attn_pdrop",
        "auto_map",
        "base_model_name",
        "bad_words_ids",
        "begin_suppress_tokens",
        "bos_token_id",
        "chunk_size_feed_forward",
        "cross_attention_hidden_size",
        "decoder_start_token_id",
        "diversity_penalty",
        "do_sample",
        "dtype",
        "early_stopping",
        "embd_pdrop",
        "encoder_no_repeat_ngram_size",
        "eos_token_id",
        "exponential_decay_length_penalty",
        "finetuning_task",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "gradient_checkpointing",
        "id2label",
        "initializer_range",
        "is_llama_config",
        "label2id",
        "length_penalty",
        "max_length",
        "max_window_layers",
        "min_length",
        "model_max_length",
        "model_type",
        "n_ctx",
        "n_special",
        "no_repeat_ngram_size",
        "num_beam_groups",
        "num_beams",
        "num_labels",
        "num_return_sequences",
        "output_attentions",
        "output_hidden_states",
        "output_past",
        "output_scores",
        "pad_token_id",
        "predict_special_tokens",
        "prefix",
        "pretraining_tp",
        "problem_type",
        "remove_invalid_values",
        "reorder_and_upcast_attn",
        "repetition_penalty",
        "resid_pdrop",
        "return_dict",
        "return_dict_in_generate",
        "sep_token_id",
        "summary_activation",
        "summary_first_dropout",
        "summary_proj_to_labels",
        "summary_type",
        "summary_use_proj",
        "suppress_tokens",
        "task_specific_params",
        "temperature",
        "tf_legacy_loss",
        "tokenizer_class",
        "top_k",
        "top_p",
        "torch_dtype",
        "torchscript",
        "transformers.js_config",
        "transformers_version",
        "typical_p",
        "unsloth_fixed",
        "unsloth_version",
        "use_bfloat16",
        "use_cache",
    ]
)

GPT2_ACTIVATIONS: dict[str, Activation] = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
    "relu2": "relu2",
}
ROPE_BASE = 10_000.0
MISTRAL_WINDOW = 4096  # where its config.json does not say


ATTENTION, FEEDFORWARD = frozenset(("q", "k", "v", "out")), frozenset(("gate", "up", "down"))


@dataclasses.dataclass(frozen=True)
class Described:
    """What a config.json describes: our configuration that computes the same, and the linear layers with a bias."""

    config: ModelConfig
    biased: frozenset[str]


def describe(values: dict[str, Any], where: str) -> tuple[str, Described]:
    """The family and the model of a parsed config.json, which errors call `where`.

    Raises:
        InputError: a family, a setting or a value that our model does not have.
    """
    family = values.get("model_type")
    if not isinstance(family, str) or family not in FAMILIES:
        raise InputError(
            f"{where} is of model_type {family!r}: the families that are imported are {', '.join(FAMILIES)}"
        )
    settings = Settings(values, where)
    if values.get("quantization_config"):
        raise settings.refused("quantization_config", "…")
    described = FAMILIES[family](settings)
    settings.refuse_the_rest(HARMLESS)
    return family, described


def _llama(settings: Settings) -> Described:
    biased = frozenset[str]()
    if settings.switch("attention_bias"):
        biased |= ATTENTION
    if settings.switch("mlp_bias"):
        biased |= FEEDFORWARD
    n_heads = settings.size("num_attention_heads")
    return Described(_llama_like(settings, biased, settings.size("num_key_value_heads", n_heads)), biased)


def _llama_like(
    settings: Settings, biased: frozenset[str], n_kv_heads: int | None = None, **more: Any
) -> ModelConfig:
    """What Llama, Qwen and Mistral share."""
    n_heads, width = settings.size("num_attention_heads"), settings.size("hidden_size")
    settings.must_be("hidden_act", "silu", "swish")
    return ModelConfig(
        vocab_size=settings.size("vocab_size"),
        context_length=settings.size("max_position_embeddings"),
        n_layers=settings.size("num_hidden_layers"),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads or settings.size("num_key_value_heads"),
        head_dim=settings.size("head_dim", max(1, width // n_heads)),
        d_model=width,
        d_ff=settings.size("intermediate_size"),
        positions="rotary",
        rope_base=_rope_base(settings),
        norm="rmsnorm",
        norm_eps=settings.number("rms_norm_eps", 1e-6),
        activation="swiglu",
        bias=bool(biased),
        tie_embeddings=settings.switch("tie_word_embeddings"),
        **more,
    )


def _rope_base(settings: Settings) -> float:
    """The one base of plain rotary positions, in the spelling of any version of transformers."""
    base = settings.number("rope_theta", ROPE_BASE)
    for name in ("rope_parameters", "rope_scaling"):
        value = settings.get(name)
        if value is None:
            continue
        if not isinstance(value, dict):
            raise settings.wrong(name, value, "names and values")
        rope = Settings(value, f"{settings.where} ({name})")
        rope.must_be("rope_type", "default")
        rope.must_be("type", "default")
        rope.must_be("partial_rotary_factor", 1.0, 1)
        base = rope.number("rope_theta", base)
        rope.refuse_the_rest()
    settings.must_be("partial_rotary_factor", 1.0, 1)
    return base


def _refuse_windows(settings: Settings, window: Any) -> None:
    """A window that no text can fill changes nothing; any other is refused."""
    settings.get("sliding_window")
    if window is not None:
        Settings({"sliding_window": window}, settings.where).size("sliding_window")
        if window < settings.size("max_position_embeddings"):
            raise settings.refused("sliding_window", window)
    kinds = settings.get("layer_types")
    if kinds is not None and (not isinstance(kinds, list) or any(kind != "full_attention" for kind in kinds)):
        raise settings.refused("layer_types", kinds)


def _qwen2(settings: Settings) -> Described:
    _refuse_windows(
        settings, settings.get("sliding_window") if settings.switch("use_sliding_window") else None
    )
    biased = frozenset(("q", "k", "v"))
    return Described(_llama_like(settings, biased), biased)


def _qwen3(settings: Settings) -> Described:
    _refuse_windows(
        settings, settings.get("sliding_window") if settings.switch("use_sliding_window") else None
    )
    biased = ATTENTION if settings.switch("attention_bias") else frozenset[str]()
    settings.size("head_dim")  # which is not the width a head where it is left out
    return Described(_llama_like(settings, biased, qk_norm=True), biased)


def _mistral(settings: Settings) -> Described:
    _refuse_windows(settings, settings.values.get("sliding_window", MISTRAL_WINDOW))
    return Described(_llama_like(settings, frozenset()), frozenset())


def _gpt2(settings: Settings) -> Described:
    width = settings.size("n_embd")
    activation = settings.text("activation_function", "gelu_new")
    if activation not in GPT2_ACTIVATIONS:
        raise settings.refused("activation_function", activation)
    settings.must_be("scale_attn_weights", True)
    settings.must_be("scale_attn_by_inverse_layer_idx", False)
    settings.must_be("add_cross_attention", False)
    config = ModelConfig(
        vocab_size=settings.size("vocab_size"),
        context_length=settings.size("n_positions"),
        n_layers=settings.size("n_layer"),
        n_heads=settings.size("n_head"),
        d_model=width,
        d_ff=settings.size("n_inner", 4 * width),
        positions="learned",
        norm="layernorm",
        norm_eps=settings.number("layer_norm_epsilon", 1e-5),
        activation=GPT2_ACTIVATIONS[activation],
        bias=True,
        tie_embeddings=settings.switch("tie_word_embeddings", True),
    )
    return Described(config, frozenset(("qkv", "out", "up", "down")))


FAMILIES: dict[str, Callable[[Settings], Described]] = {
    "llama": _llama,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "mistral": _mistral,
    "gpt2": _gpt2,
}
