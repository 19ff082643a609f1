"""On a GPU: what counting and timing add to a denoiser's step at its real width. It skips itself elsewhere, and its figures are on no page made without one."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

pytest.importorskip("diffusers", reason="the extra [diffusers] is not installed")

from adapters._cost import counted
from adapters._kinds import KINDS

pytestmark = pytest.mark.speed


@pytest.mark.gpu
@pytest.mark.parametrize("blocks", [2])
def test_a_step_at_real_width(blocks: int, benchmark: Any) -> None:
    """Wan-14B's width (40 heads of 128, 13,824 in the middle) with few blocks of random weights, 21 latent frames of 60x104, bfloat16: counting costs less
    than 2 ms and 1 % of a step of all 40 blocks, by CUDA events of the bare forward."""
    import torch
    from diffusers import WanTransformer3DModel

    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    device = torch.device("cuda")
    with device:
        torch.manual_seed(0)
        model = WanTransformer3DModel(num_layers=blocks, in_channels=16, out_channels=16).to(torch.bfloat16).eval()
        given = {
            "hidden_states": torch.randn(1, 16, 21, 60, 104, dtype=torch.bfloat16),
            "timestep": torch.tensor([500.0]),
            "encoder_hidden_states": torch.randn(1, 512, 4096, dtype=torch.bfloat16),
            "return_dict": False,
        }
    holder = type("Pipeline", (), {"transformer": model})()

    def events(call: Callable[[], object]) -> float:
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        call()
        last.record()
        torch.cuda.synchronize()
        return float(first.elapsed_time(last))

    def forward() -> None:
        with torch.inference_mode():
            model(**given)

    def counting() -> float:
        with counted(holder, KINDS["vace"].denoisers, 1, "cuda"):
            return events(forward)

    for _ in range(3):
        forward()
    spent: list[tuple[float, float]] = []
    benchmark.pedantic(lambda: spent.append((events(forward), counting())), rounds=10)
    alone, with_us = (median(times) for times in zip(*spent, strict=True))
    overhead, step = with_us - alone, alone * 40 / blocks
    benchmark.extra_info.update(
        overhead_ms=round(overhead, 3), step_ms=round(step, 1), bar="< 2 ms and < 1 %", ratio=round(overhead / step, 5)
    )
    benchmark.extra_info["gpu"] = torch.cuda.get_device_name()
    assert overhead < 2
    assert overhead < 0.01 * step
