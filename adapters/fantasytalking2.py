"""FantasyTalking2: three preference experts in every linear layer of the DiT's blocks, fused by gates on the timestep."""

from __future__ import annotations

from functools import partial

from adapters import _tiny_methods as tiny
from adapters._generator import Method, adapter

SPEC = adapter(
    Method(
        id="fantasytalking2",
        title="FantasyTalking2",
        summary="FantasyTalking with three expert LoRAs (motion, lip sync, visual quality) in every linear layer of each block, fused by gates on t",
        paper="arXiv:2508.11255; Fantasy-AMAP/fantasy-talking2@0016915",
        published="not public: nobody but its authors can run it. Rebuilt from the paper's formula; its ablations (no gate, one gate, a gate a module, ranks) "
        "are other checkpoint.toml files",
        licence="nothing is published but a README",
        cannot="say which embedding of t the authors' gates read: the denoiser's time embedding is taken",
        kinds=("wan-i2v",),
        needs=("expert", "gate", "audio"),
        tiny=partial(tiny.tiny, "fantasytalking2", "wan-i2v", parts=tiny.fantasytalking2),
    )
)
