"""Tiny pipelines of the real classes, drawn from a seed: folders in diffusers' own format, loaded by the code that loads the published ones.

What they make is noise. They are there so that the whole road can be walked on any machine: the same classes, argument names, schedulers, LoRA layouts.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapters._checkpoint import quiet

VERSION = 1
MARK = "tiny.json"
SEED = 1
GAINS = {
    "vae": {"quant_conv.weight": 20.0, "post_quant_conv.weight": 20.0, "decoder.conv_out.weight": 5.0, "encoder.conv_out.weight": 5.0},
    "transformer": {"vace_patch_embedding.weight": 10.0, "proj_out.weight": 3.0},
}
"""Fresh random weights let hardly anything through: pictures and poses would not reach the clip's grey levels. By the end of a tensor's name."""
OWN_GAINS = {
    "svd-i2v": {"unet": {"add_embedding.linear_2.weight": 30.0}},
    "wan-animate": {"vae": GAINS["vae"], "transformer": {"attn2.to_v.weight": 20.0, "proj_out.weight": 3.0}},
}
"""Those of kinds whose parts need others."""
WORDS = ("<pad>", "</s>", "<unk>", "a", "person", "moves")


def build(kind: str, folder: Path) -> Path:
    """The folder of the tiny pipeline of this kind below `folder`, made where it is not there yet (a second). KeyError for a kind that has none."""
    made = folder / f"{kind}-{VERSION}"
    if whole(made):
        return made
    import torch

    quiet()
    temporary = made.with_name(f".{made.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(SEED)
        pipeline = _BUILDERS[kind]()
        for part, gains in OWN_GAINS.get(kind, GAINS).items():
            for name, tensor in getattr(pipeline, part).named_parameters():
                for end, gain in gains.items():
                    if name.endswith(end):
                        tensor.data.mul_(gain)
        pipeline.save_pretrained(str(temporary), safe_serialization=True)
    finally:
        torch.random.set_rng_state(state)
    settle(temporary, made, {"kind": kind, "version": VERSION, "seed": SEED})
    return made


def settle(temporary: Path, made: Path, facts: Mapping[str, Any]) -> None:
    """Put a finished folder in its place, with a mark that lists its files; one that another process has just put there stays."""
    files = {path.relative_to(temporary).as_posix(): path.stat().st_size for path in sorted(temporary.rglob("*")) if path.is_file()}
    (temporary / MARK).write_text(json.dumps({**facts, "files": files}))
    if whole(made):
        shutil.rmtree(temporary)
        return
    shutil.rmtree(made, ignore_errors=True)
    temporary.replace(made)


def whole(made: Path) -> bool:
    """Is a folder there with all its files? Pruning a cache may have taken some."""
    try:
        files = json.loads((made / MARK).read_bytes())["files"]
        return all((made / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError):
        return False


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: k for k, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def _wan_parts() -> dict[str, Any]:
    from diffusers import AutoencoderKLWan, UniPCMultistepScheduler
    from transformers import UMT5Config, UMT5EncoderModel

    return {
        "tokenizer": _tokenizer(),
        "text_encoder": UMT5EncoderModel(UMT5Config(vocab_size=64, d_model=32, d_ff=37, d_kv=8, num_layers=2, num_heads=4)).eval(),
        "vae": AutoencoderKLWan(
            base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
        ).eval(),
        "scheduler": UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
    }


_WAN: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 32,
    "freq_dim": 256,
    "ffn_dim": 32,
    "num_layers": 3,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 1024,
}


def _vace() -> Any:
    from diffusers import WanVACEPipeline, WanVACETransformer3DModel

    return WanVACEPipeline(**_wan_parts(), transformer=WanVACETransformer3DModel(**_WAN, vace_layers=[0, 2], vace_in_channels=96).eval())


def _image_parts() -> dict[str, Any]:
    """The CLIP encoder whose states the denoiser's image attention reads."""
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

    sides = {"image_size": 16, "patch_size": 8}
    config = CLIPVisionConfig(hidden_size=32, projection_dim=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, **sides)
    return {
        "image_encoder": CLIPVisionModel(config).eval(),
        "image_processor": CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
    }


def _wan_i2v() -> Any:
    from diffusers import WanImageToVideoPipeline, WanTransformer3DModel

    inner = _WAN["num_attention_heads"] * _WAN["attention_head_dim"]
    return WanImageToVideoPipeline(
        **_wan_parts(),
        **_image_parts(),
        transformer=WanTransformer3DModel(**{**_WAN, "in_channels": 36}, image_dim=32, added_kv_proj_dim=inner).eval(),
    )


def _cogvideox() -> Any:
    from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXImageToVideoPipeline, CogVideoXTransformer3DModel
    from transformers import T5Config, T5EncoderModel

    blocks = ["CogVideoXDownBlock3D"] * 4
    return CogVideoXImageToVideoPipeline(
        tokenizer=_tokenizer(),
        text_encoder=T5EncoderModel(T5Config(vocab_size=64, d_model=32, d_ff=37, d_kv=8, num_layers=2, num_heads=4)).eval(),
        vae=AutoencoderKLCogVideoX(
            in_channels=3,
            out_channels=3,
            down_block_types=tuple(blocks),
            up_block_types=tuple(block.replace("Down", "Up") for block in blocks),
            block_out_channels=(8, 8, 8, 8),
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=2,
            temporal_compression_ratio=4,
        ).eval(),
        scheduler=CogVideoXDDIMScheduler(),
        transformer=CogVideoXTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=8,
            out_channels=4,
            time_embed_dim=2,
            text_embed_dim=32,
            num_layers=1,
            sample_width=2,
            sample_height=2,
            sample_frames=9,
            patch_size=2,
            temporal_compression_ratio=4,
            max_text_seq_length=16,
            use_rotary_positional_embeddings=True,
            use_learned_positional_embeddings=True,
        ).eval(),
    )


def _svd() -> Any:
    from diffusers import (
        AutoencoderKLTemporalDecoder,
        EulerDiscreteScheduler,
        StableVideoDiffusionPipeline,
        UNetSpatioTemporalConditionModel,
    )
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    levels = 4
    config = CLIPVisionConfig(
        hidden_size=32, projection_dim=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, image_size=224, patch_size=56
    )
    return StableVideoDiffusionPipeline(
        image_encoder=CLIPVisionModelWithProjection(config).eval(),
        feature_extractor=CLIPImageProcessor(size={"shortest_edge": 224}, crop_size={"height": 224, "width": 224}),
        vae=AutoencoderKLTemporalDecoder(
            block_out_channels=(32,) * levels,
            down_block_types=("DownEncoderBlock2D",) * levels,
            latent_channels=4,
            layers_per_block=1,
        ).eval(),
        # The published checkpoint's own schedule.
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",
            timestep_spacing="leading",
            timestep_type="continuous",
            sigma_max=700.0,
            sigma_min=0.002,
            steps_offset=1,
            use_karras_sigmas=True,
        ),
        unet=UNetSpatioTemporalConditionModel(
            in_channels=8,
            out_channels=4,
            block_out_channels=(64, 64),  # two channels a group of the norm, or nothing that is constant over the picture gets through
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            layers_per_block=1,
            addition_time_embed_dim=32,
            projection_class_embeddings_input_dim=96,
            cross_attention_dim=32,
            num_attention_heads=2,
        ).eval(),
    )


def _wan_animate() -> Any:
    from diffusers import WanAnimatePipeline, WanAnimateTransformer3DModel

    inner = _WAN["num_attention_heads"] * _WAN["attention_head_dim"]
    return WanAnimatePipeline(
        **_wan_parts(),
        **_image_parts(),
        transformer=WanAnimateTransformer3DModel(
            **{**_WAN, "in_channels": 36, "num_layers": 4},
            latent_channels=16,
            image_dim=32,
            added_kv_proj_dim=inner,
            motion_encoder_channel_sizes={str(2**k): 16 for k in range(2, 5)},
            motion_encoder_size=16,
            motion_style_dim=8,
            motion_dim=4,
            motion_encoder_dim=16,
            face_encoder_hidden_dim=16,
            face_encoder_num_heads=2,
            inject_face_latents_blocks=2,
        ).eval(),
    )


_BUILDERS: dict[str, Callable[[], Any]] = {
    "vace": _vace,
    "wan-i2v": _wan_i2v,
    "cogvideox-i2v": _cogvideox,
    "svd-i2v": _svd,
    "wan-animate": _wan_animate,
}


def speech(folder: Path, width: int = 24, layers: int = 3) -> tuple[Path, Path]:
    """(a tiny wav2vec2 folder, a file of audio weights) below `folder`, drawn from the seed where they are not there yet: for a denoiser of so many blocks of
    this inner width (those of the tiny `wan-i2v` by default)."""
    made = folder / f"speech-{width}-{layers}-{VERSION}"
    if not whole(made):
        import torch
        from safetensors.torch import save_file
        from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

        temporary = made.with_name(f".{made.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        state = torch.random.get_rng_state()
        try:
            torch.manual_seed(SEED)
            sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "conv_dim": (8,) * 7}
            encoder = Wav2Vec2Model(Wav2Vec2Config(**sizes, vocab_size=8, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2))
            tensors = {"proj.weight": torch.randn(32, 24), "norm.weight": torch.rand(32) + 0.5, "norm.bias": torch.randn(32) * 0.1}
            tensors |= {f"blocks.{k}.{half}_proj.weight": torch.randn(width, 32) / 4 for k in range(layers) for half in "kv"}
        finally:
            torch.random.set_rng_state(state)
        encoder.save_pretrained(str(temporary / "wav2vec2"), safe_serialization=True)
        Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(str(temporary / "wav2vec2"))
        save_file(tensors, temporary / "audio.safetensors")
        settle(temporary, made, {"version": VERSION, "seed": SEED})
    return made / "wav2vec2", made / "audio.safetensors"
