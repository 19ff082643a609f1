"""IPA: a LoRA on VACE's attention from implicit preference alignment; with and without HALO are two checkpoints of this adapter."""

from __future__ import annotations

from functools import partial

from adapters import _tiny_methods as tiny
from adapters._generator import Method, adapter

SPEC = adapter(
    Method(
        id="ipa",
        title="IPA",
        summary="VACE with a LoRA (rank 128 in the paper, on to_q, to_k, to_v) from implicit preference alignment, with or without HALO",
        paper="arXiv:2605.07545; mdswyz/IPA@eb21f5b",
        published="not public: nobody but its authors can run it; a checkpoint.toml with one [[lora]] and VACE-14B as its base is what this adapter takes",
        licence="MIT (code); the weights are not published",
        cannot="say which steps, guidance and shift its authors used: they are not published, VACE's are taken. HALO's hand masks belong to training alone",
        kinds=("vace",),
        needs=("lora",),
        takes=(),
        tiny=partial(tiny.tiny, "ipa", "vace", parts=tiny.ipa),
    )
)
