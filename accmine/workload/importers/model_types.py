"""What is known of the model types of a Hugging Face ``config.json``: keys, architectures, what changes nothing."""

from __future__ import annotations

from typing import Any

__all__ = [
    "ACTIVATION_NAMES",
    "ALIASES",
    "ARCHITECTURES",
    "FIXED",
    "HARMLESS",
    "LABELS",
    "MODEL_TYPES",
    "OF_TYPE",
    "REFUSED",
    "REQUIRED",
    "ROPE",
    "SETS",
]

ACTIVATION_NAMES: dict[str, str] = {
    "gelu": "gelu",
    "gelu_new": "gelu",
    "gelu_fast": "gelu",
    "gelu_python": "gelu",
    "gelu_pytorch_tanh": "gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""Activations by their names in configurations."""

REQUIRED = object()
"""In the place of a default: the key must be given."""

_Rows = dict[str, tuple[str, Any]]

MODEL_TYPES: dict[str, _Rows] = {
    "bert": {
        "layers": ("num_hidden_layers", REQUIRED),
        "width": ("hidden_size", REQUIRED),
        "heads": ("num_attention_heads", REQUIRED),
        "mlp_width": ("intermediate_size", 3072),
        "vocabulary": ("vocab_size", REQUIRED),
        "positions": ("max_position_embeddings", 512),
        "token_types": ("type_vocab_size", 2),
        "activation": ("hidden_act", "gelu"),
        "dropout": ("hidden_dropout_prob", 0.1),
        "embedding_dropout": ("hidden_dropout_prob", 0.1),
        "attention_dropout": ("attention_probs_dropout_prob", 0.1),
        "tied": ("tie_word_embeddings", True),
    },
    "gpt2": {
        "layers": ("n_layer", REQUIRED),
        "width": ("n_embd", REQUIRED),
        "heads": ("n_head", REQUIRED),
        "mlp_width": ("n_inner", None),
        "vocabulary": ("vocab_size", REQUIRED),
        "positions": ("n_positions", 1024),
        "activation": ("activation_function", "gelu_new"),
        "dropout": ("resid_pdrop", 0.1),
        "embedding_dropout": ("embd_pdrop", 0.1),
        "attention_dropout": ("attn_pdrop", 0.1),
        "tied": ("tie_word_embeddings", True),
    },
    "opt": {
        "layers": ("num_hidden_layers", REQUIRED),
        "width": ("hidden_size", REQUIRED),
        "heads": ("num_attention_heads", REQUIRED),
        "mlp_width": ("ffn_dim", 3072),
        "vocabulary": ("vocab_size", REQUIRED),
        "embedding_width": ("word_embed_proj_dim", None),
        "positions": ("max_position_embeddings", 2048),
        "activation": ("activation_function", "relu"),
        "dropout": ("dropout", 0.1),
        "attention_dropout": ("attention_dropout", 0.0),
        "pre_norm": ("do_layer_norm_before", True),
        "bias": ("enable_bias", True),
        "tied": ("tie_word_embeddings", True),
    },
    "llama": {
        "layers": ("num_hidden_layers", REQUIRED),
        "width": ("hidden_size", REQUIRED),
        "heads": ("num_attention_heads", REQUIRED),
        "kv_heads": ("num_key_value_heads", None),
        "head_width": ("head_dim", None),
        "mlp_width": ("intermediate_size", 11008),
        "vocabulary": ("vocab_size", REQUIRED),
        "positions": ("max_position_embeddings", 2048),
        "activation": ("hidden_act", "silu"),
        "window": ("sliding_window", None),
        "attention_dropout": ("attention_dropout", 0.0),
        "attention_bias": ("attention_bias", False),
        "mlp_bias": ("mlp_bias", False),
        "tied": ("tie_word_embeddings", False),
    },
}
_LLAMA = {key: row for key, row in MODEL_TYPES["llama"].items() if key not in ("attention_bias", "mlp_bias", "window")}
_BIASED = {"attention_bias": ("attention_bias", False)}
MODEL_TYPES |= {
    "mistral": _LLAMA
    | {
        "kv_heads": ("num_key_value_heads", 8),
        "mlp_width": ("intermediate_size", 14336),
        "positions": ("max_position_embeddings", 131072),
        "window": ("sliding_window", 4096),
    },
    "mixtral": _LLAMA
    | {
        "kv_heads": ("num_key_value_heads", 8),
        "mlp_width": ("intermediate_size", 14336),
        "positions": ("max_position_embeddings", 131072),
        "window": ("sliding_window", None),
        "experts": ("num_local_experts", 8),
        "experts_per_token": ("num_experts_per_tok", 2),
    },
    "qwen2": _LLAMA
    | {
        "kv_heads": ("num_key_value_heads", 32),
        "mlp_width": ("intermediate_size", 22016),
        "positions": ("max_position_embeddings", 32768),
        "window": ("sliding_window", 4096),
    },
    "gemma": _LLAMA
    | _BIASED
    | {
        "kv_heads": ("num_key_value_heads", 16),
        "head_width": ("head_dim", 256),
        "mlp_width": ("intermediate_size", 24576),
        "positions": ("max_position_embeddings", 8192),
        "activation": ("hidden_act", "gelu_pytorch_tanh"),
        "tied": ("tie_word_embeddings", True),
    },
    # What the published code and the library set where these are absent differs, so sizes of experts are required.
    "deepseek_v2": {key: row for key, row in _LLAMA.items() if key != "head_width"}
    | _BIASED
    | {
        "head_width": ("qk_nope_head_dim", 128),  # and the rotated columns
        "rotary_width": ("qk_rope_head_dim", 64),
        "value_width": ("v_head_dim", 128),
        "kv_rank": ("kv_lora_rank", 512),
        "query_rank": ("q_lora_rank", 1536),
        "experts": ("n_routed_experts", REQUIRED),
        "experts_per_token": ("num_experts_per_tok", REQUIRED),
        "expert_width": ("moe_intermediate_size", REQUIRED),
        "shared_expert_width": ("n_shared_experts", REQUIRED),  # times the columns of an expert
        "mlp_bias": ("mlp_bias", False),
        "dense_layers": ("first_k_dense_replace", 0),
        "normalized_routing": ("norm_topk_prob", False),
    },
}
MODEL_TYPES["qwen3"] = MODEL_TYPES["qwen2"] | _BIASED | {"head_width": ("head_dim", 128)}
MODEL_TYPES["qwen3_moe"] = (
    MODEL_TYPES["qwen2"]
    | _BIASED
    | {
        "kv_heads": ("num_key_value_heads", 4),
        "mlp_width": ("intermediate_size", 6144),
        "experts": ("num_experts", 128),
        "experts_per_token": ("num_experts_per_tok", 8),
        "expert_width": ("moe_intermediate_size", 768),
        "normalized_routing": ("norm_topk_prob", False),
    }
)
"""Model type -> key of a transformer description -> (key of ``config.json``, its default)."""

SETS: dict[str, dict[str, Any]] = {
    "bert": {"family": "bert"},
    "gpt2": {"family": "gpt2"},
    "opt": {"family": "opt"},
    **{key: {"family": "llama"} for key in ("llama", "mistral", "mixtral", "deepseek_v2")},
    "qwen2": {"family": "llama", "attention_bias": True, "output_bias": False},
    **{key: {"family": "llama", "qk_norm": True} for key in ("qwen3", "qwen3_moe")},
    "gemma": {"family": "llama", "embedding_scale": True},
}
"""Model type -> what it sets of a transformer description, whatever the keys say."""

REFUSED: dict[str, str] = {
    "deepseek_v3": "experts are chosen in groups, by sigmoids with a bias of their own",
    "gemma2": "norms stand on both sides of a branch, scores are capped, every second layer has a window",
    "gemma3": "norms stand on both sides of a branch, some layers have a window; it reads images",
    "gemma3_text": "norms stand on both sides of a branch, some layers have a window",
    "gpt_oss": "attention has sinks, every second layer has a window, experts have biases",
    "llama4": "some layers have no positions or attend in chunks; it reads images",
    "phi3": "gate and up projection are one product",
    "qwen2_moe": "the shared expert has a gate of its own",
}
"""Related model types that are not read -> what of their graphs is not modelled."""

ARCHITECTURES: dict[str, dict[str, dict[str, Any]]] = {
    "bert": {
        "BertForPreTraining": {"head": "mlm"},
        "BertForMaskedLM": {"head": "mlm", "pooler": False},
        "BertForNextSentencePrediction": {"head": "sequence", "labels": 2, "head_dropout": 0.0},
        "BertForSequenceClassification": {"head": "sequence"},
        "BertForTokenClassification": {"head": "tokens"},
        "BertForQuestionAnswering": {"head": "span"},
        "BertModel": {"head": "none"},
    },
    "gpt2": {
        "GPT2LMHeadModel": {"head": "lm"},
        "GPT2ForSequenceClassification": {"head": "sequence", "head_dropout": 0.0},
        "GPT2ForTokenClassification": {"head": "tokens"},
        "GPT2ForQuestionAnswering": {"head": "span"},
        "GPT2Model": {"head": "none"},
    },
    "opt": {
        "OPTForCausalLM": {"head": "lm"},
        "OPTForSequenceClassification": {"head": "sequence", "head_dropout": 0.0},
        "OPTForQuestionAnswering": {"head": "span"},
        "OPTModel": {"head": "none"},
    },
    "llama": {
        "LlamaForCausalLM": {"head": "lm"},
        "LlamaForSequenceClassification": {"head": "sequence", "head_dropout": 0.0},
        "LlamaForTokenClassification": {"head": "tokens"},
        "LlamaForQuestionAnswering": {"head": "span"},
        "LlamaModel": {"head": "none"},
    },
}
_NAMES = {"mistral": "Mistral", "mixtral": "Mixtral", "qwen2": "Qwen2", "qwen3": "Qwen3", "qwen3_moe": "Qwen3Moe"}
_NAMES |= {"gemma": "Gemma", "deepseek_v2": "DeepseekV2"}
_LACKING = {"gemma": ("ForQuestionAnswering",), "deepseek_v2": ("ForQuestionAnswering", "ForTokenClassification")}
ARCHITECTURES |= {
    model_type: {
        name.replace("Llama", title): row
        for name, row in ARCHITECTURES["llama"].items()
        if not name.endswith(_LACKING.get(model_type, ()))
    }
    for model_type, title in _NAMES.items()
}
"""Model type -> architecture -> its head, in keys of a transformer description."""

HARMLESS: dict[str, str] = {
    "where the file comes from": "_name_or_path name_or_path _commit_hash transformers_version finetuning_task "
    "task_specific_params tokenizer_class language label2id",
    "how the published code runs": "torch_dtype dtype use_bfloat16 use_cache output_past output_attentions "
    "output_hidden_states output_scores return_dict return_dict_in_generate attn_implementation _attn_implementation "
    "_attn_implementation_internal _attn_implementation_autoset tf_legacy_loss",
    "initialisation": "initializer_range initializer_factor init_std",
    "constants within an operator": "layer_norm_eps layer_norm_epsilon rms_norm_eps routed_scaling_factor",
    "auxiliary losses of a router, which are left out": "router_aux_loss_coef output_router_logits aux_loss_alpha "
    "seq_aux",
    "tokens by their number": "bos_token_id eos_token_id pad_token_id sep_token_id cls_token_id mask_token_id "
    "decoder_start_token_id prefix",
    "generation": "bad_words_ids begin_suppress_tokens diversity_penalty do_sample early_stopping "
    "encoder_no_repeat_ngram_size exponential_decay_length_penalty forced_bos_token_id forced_eos_token_id "
    "length_penalty max_length min_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences "
    "remove_invalid_values repetition_penalty suppress_tokens temperature top_k top_p typical_p",
    "never read by the architectures above": "n_ctx summary_activation summary_first_dropout summary_proj_to_logits "
    "summary_type summary_use_proj directionality pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers "
    "pooler_size_per_head pooler_type n_group topk_group",
}
"""Why -> keys that change neither operators nor their sizes, whatever they hold."""

ROPE = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")  # other angles in the same operators

FIXED: dict[str, tuple[Any, ...]] = {
    "add_cross_attention": (False,),
    "auto_map": (),
    "chunk_size_feed_forward": (0,),
    "cross_attention_hidden_size": (),
    "gradient_checkpointing": (False,),
    "is_decoder": (False,),
    "is_encoder_decoder": (False,),
    "problem_type": ("single_label_classification",),
    "pruned_heads": ({},),
    "quantization_config": (),
    "tie_encoder_decoder": (False,),
    "torchscript": (False,),
    # bert
    "position_embedding_type": ("absolute",),
    # gpt2
    "reorder_and_upcast_attn": (False,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "scale_attn_weights": (True,),
    # opt
    "activation_dropout": (0.0,),
    "layer_norm_elementwise_affine": (True,),
    "layerdrop": (0.0,),
    # experts: which layers have them, how they are chosen
    "decoder_sparse_step": (1,),
    "mlp_only_layers": ([],),
    "moe_layer_freq": (1,),
    "router_jitter_noise": (0.0,),
    "scoring_func": ("softmax",),
    "topk_method": ("greedy",),
    # llama and what is like it
    "use_bidirectional_attention": (False,),
    "use_mrope": (False,),
    "partial_rotary_factor": (1.0,),
    "pretraining_tp": (1,),
}
"""Key -> the values that change nothing, beside null; any other one changes the graph and is not modelled."""

ALIASES: dict[str, dict[str, str]] = {
    "gpt2": {
        "num_hidden_layers": "n_layer",
        "hidden_size": "n_embd",
        "num_attention_heads": "n_head",
        "max_position_embeddings": "n_positions",
    },
    "mixtral": {"num_experts": "num_local_experts"},
    "qwen3_moe": {"num_local_experts": "num_experts"},
    "deepseek_v2": {"num_experts": "n_routed_experts"},
}
"""Second names that the configuration class of a model type accepts."""

LABELS = ("id2label", "num_labels", "_num_labels")
"""Keys that say how many labels there are."""

_WINDOWED = "use_sliding_window"
_QWEN = {"rope_theta", _WINDOWED, "max_window_layers", "layer_types"}
OF_TYPE: dict[str, set[str]] = {
    "llama": {"rope_theta", _WINDOWED},
    "mistral": {"rope_theta", _WINDOWED},
    "mixtral": {"rope_theta"},
    **dict.fromkeys(("qwen2", "qwen3", "qwen3_moe"), _QWEN),
    "gemma": {"rope_theta", "hidden_activation"},
    "deepseek_v2": {"rope_theta", "auto_map", "head_dim"},
    "opt": {"_remove_final_layer_norm"},
}
"""Model type -> keys that are read beside the rows, or free: angles of a rotation are constants, and ``auto_map`` of
DeepSeek-V2 names the published code."""
