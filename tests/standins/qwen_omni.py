"""A Qwen2.5-Omni of the real class with a few thousand numbers drawn at random, a tokenizer of whole words, and LoRAs for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SPECIAL = {
    "unk_token": "<|unk|>",
    "eos_token": "<|im_end|>",
    "pad_token": "<|pad|>",
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}


def tokenizer(words: list[str]) -> Any:
    """Words and marks as they are, the special tokens of the original, nothing put in front."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*SPECIAL.values(), "<|im_start|>", *words]))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL["unk_token"]))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    extra = {name: token for name, token in SPECIAL.items() if name not in ("unk_token", "eos_token", "pad_token")}
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token=SPECIAL["unk_token"],
        eos_token=SPECIAL["eos_token"],
        pad_token=SPECIAL["pad_token"],
        extra_special_tokens=extra,
        additional_special_tokens=["<|im_start|>"],
    )


def draw(folder: Path, words: list[str], seed: int = 0, width: int = 32, layers: int = 2) -> Path:
    """Write a checkpoint folder: model.safetensors, config, tokenizer, preprocessor_config.json."""
    import torch
    import transformers
    from transformers.models.qwen2_5_omni import configuration_qwen2_5_omni as parts

    known = tokenizer(words)
    ids = {name: known.convert_tokens_to_ids(token) for name, token in SPECIAL.items()}
    config = parts.Qwen2_5OmniThinkerConfig(
        audio_config={
            "d_model": width,
            "encoder_layers": 1,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": width,
            "output_dim": width,
            "num_mel_bins": 128,
        },
        vision_config={
            "depth": 2,
            "hidden_size": width,
            "num_heads": 4,
            "intermediate_size": width,
            "out_hidden_size": width,
            "fullatt_block_indexes": [1],
        },
        text_config={
            "vocab_size": len(known),
            "hidden_size": width,
            "intermediate_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, width // 8 - 2]},
        },
        vision_start_token_id=ids["vision_bos_token"],
        vision_end_token_id=ids["vision_eos_token"],
        audio_token_index=ids["audio_token"],
        image_token_index=ids["image_token"],
        video_token_index=ids["video_token"],
        audio_start_token_id=ids["audio_bos_token"],
        audio_end_token_id=ids["audio_eos_token"],
    )
    torch.manual_seed(seed)
    model = transformers.Qwen2_5OmniThinkerForConditionalGeneration(config)
    with torch.no_grad():
        for tensor in model.parameters():
            if tensor.ndim > 1:
                tensor.normal_(std=0.3)  # the usual 0.02 leaves every answer at one half
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    known.save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=128, chunk_length=30).save_pretrained(folder)
    return folder


def draw_lora(folder: Path, checkpoint: Path, seed: int = 1) -> Path:
    """Write a random LoRA of rank 2 on the query and value projections of the language model: adapter_config.json, adapter_model.safetensors."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen2_5OmniThinkerForConditionalGeneration

    model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(checkpoint, local_files_only=True)
    torch.manual_seed(seed)
    chosen = LoraConfig(r=2, lora_alpha=4, target_modules=r"(?!audio|visual).*\.self_attn\.(q_proj|v_proj)", init_lora_weights=False)
    get_peft_model(model, chosen).save_pretrained(folder, safe_serialization=True)
    return folder
