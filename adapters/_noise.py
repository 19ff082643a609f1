"""HumANDiff's initial latents for a pipeline: noise that lies on the body's surface, read from a case's maps, in the shape that the pipeline's class takes.

Source of the noise: `_articulated_noise`. Of shapes and scales: prepare_latents of each pipeline in diffusers 0.42. All are given variance 1. CogVideoX
and Stable Video Diffusion multiply what they are given by their scheduler's init_noise_sigma, as they do with their own; Wan and VACE multiply neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from adapters import _articulated_noise as noises
from adapters._inputs import Wanted
from adapters._kinds import Kind
from benchmark.errors import InputError
from benchmark.model import Case

if TYPE_CHECKING:
    import torch

RULES: dict[str, noises.Rule] = {"stride": "stride", "nearest": "nearest", "gwtf": "nearest"}
"""Names of the rules by which noise is made smaller."""


@dataclass(frozen=True)
class Noise:
    """gamma: share of fresh noise, 0..1. texels: along a side of each part's grid; None = fitted to the latents' cells. background: new in every frame
    (`fresh`), or one field for all (`fixed`).

    rule: where a latent looks. `stride`: frames 4 i, pixels 8 j + 4. `nearest`: where torch's interpolate(mode="nearest") looks. `gwtf` is another name for
    `nearest`, recorded as such: Go-with-the-Flow says that it takes nearest neighbours, though its own script picks frames as `stride` does and averages
    pixels (`_articulated_noise.resized`).
    """

    gamma: float = noises.GAMMA
    rule: Literal["stride", "nearest", "gwtf"] = "stride"
    background: noises.Background = "fresh"
    texels: int | None = None


@dataclass(frozen=True)
class _Form:
    """layout, channels, strides of a class's latents. lead: latent frames in front that show no frame of the clip. dtype: None where the pipeline itself turns
    what it is given into its own."""

    layout: noises.Layout
    channels: int
    time: int
    space: int
    lead: int = 0
    dtype: Any = None


def initial(pipeline: Any, kind: Kind, case: Case, want: Wanted, noise: Noise, seed: int) -> tuple[torch.Tensor, dict[str, Any]]:
    """(latents for the pipeline's call, on the CPU; what a record is to say of them). The same seed is the same noise.

    Frames that are made and not kept show the last map again where the file has no map for them. Facts: what was asked for, the maps' size, each part's texels,
    `body` (the share of latent cells that look at the body; at 0 this is plain noise), and `warning` where there is one.

    Raises InputError: `no-uv`, `uv-length` (fewer maps than frames of the case), `no-latents` (the class makes noise of its own in the middle of a clip),
    and as `_articulated_noise.read`, `cells`, `articulated` and `degrade` do.
    """
    import torch

    if noise.rule not in RULES:
        raise InputError("there is no such rule", code="bad-rule", found=noise.rule, expected=", ".join(RULES))
    if kind.id not in _FORMS:
        raise InputError("does not start from latents that it is given", code="no-latents", found=kind.pipeline, expected=", ".join(_FORMS))
    form = _FORMS[kind.id](pipeline, want)
    surface = _around(_maps(case, want), want)
    width, height = want.size
    rule = RULES[noise.rule]
    at = noises.cells(surface, want.made, (height, width), rule=rule, time=form.time, space=form.space)
    tall, wide = surface.part.shape[1:]
    cell = (tall / len(at.rows) * wide / len(at.columns)) ** 0.5
    texels = noises.fitted(surface, cell) if noise.texels is None else noise.texels
    found = noises.latents(
        surface,
        want.made,
        (height, width),
        seed,
        layout=form.layout,
        channels=form.channels,
        rule=rule,
        gamma=noise.gamma,
        texels=texels,
        background=noise.background,
        lead=form.lead,
        time=form.time,
        space=form.space,
    )
    body = float(np.mean(surface.part[np.ix_(at.frames, at.rows, at.columns)] > 0))
    facts: dict[str, Any] = {
        "gamma": noise.gamma,
        "rule": rule,
        "background": noise.background,
        "texels": texels if isinstance(texels, int) else {str(part): side for part, side in texels.items()},
        "fitted": noise.texels is None,
        "seed": seed,
        "maps": list(surface.part.shape),
        "latents": list(found.shape),
        "body": round(body, 4),
    }
    warnings = [*([] if body else ["no latent cell looks at the body: this is plain noise"]), *learned(pipeline, want)]
    if warnings:
        facts["warning"] = "; ".join(warnings)
    return torch.from_numpy(found).to(form.dtype or torch.float32), facts


def _maps(case: Case, want: Wanted) -> noises.Surface:
    """As many maps as frames are made."""
    if case.uv is None:
        raise InputError(
            "needs maps of the body's surface",
            code="no-uv",
            found=f"case {case.id} names none",
            expected="part (n, h, w) and uv (n, h, w, 2), docs/people.md",
            hint="uv = FILE in cases.toml",
        )
    surface = noises.read(case.uv)
    held = len(surface.part)
    if held < want.frames:
        raise InputError(
            "has fewer maps than the case has frames", code="uv-length", path=case.uv, found=f"{held} maps", expected=f"{want.frames}"
        )
    shown = np.minimum(np.arange(want.made), held - 1)
    return noises.Surface(surface.part[shown], surface.uv[shown])


def _around(surface: noises.Surface, want: Wanted) -> noises.Surface:
    """The maps in the shape of what is made: background around them where the case's picture stands in the middle of a larger one."""
    if want.inside is None:
        return surface
    x, y, width, height = want.inside
    tall, wide = surface.part.shape[1:]
    down = [round(side * tall / height) for side in (y, want.size[1] - y - height)]
    across = [round(side * wide / width) for side in (x, want.size[0] - x - width)]
    sides = ((0, 0), (down[0], down[1]), (across[0], across[1]))
    return noises.Surface(np.pad(surface.part, sides), np.pad(surface.uv, (*sides, (0, 0))))


def learned(pipeline: Any, want: Wanted) -> list[str]:
    """What becomes of positions that were learned for clips of one length (49 frames: CogVideoX-5b-I2V).

    At any other length, longer or shorter, CogVideoXPatchEmbed (diffusers 0.42, models/embeddings.py) drops the learned table and computes sines and cosines in
    its place; it interpolates nothing. Rotary positions simply go on.
    """
    config = getattr(getattr(pipeline, "transformer", None), "config", {})
    made = config.get("sample_frames")
    if not config.get("use_learned_positional_embeddings") or made is None or made == want.made:
        return []
    return [f"positions were learned for {made} frames: at {want.made} diffusers computes sines and cosines in place of all of them"]


# ------------------------------------------------------------------------------------------------------------------- the classes' forms


def _cogvideox(pipeline: Any, want: Wanted) -> _Form:
    """(B, F, C, H, W), in the type of the words' encoder, to which the pipeline does not turn them.

    CogVideoX 1.5, whose patches are two frames deep, puts latent frames in front until their number is even, and drops them again.
    """
    time, depth = pipeline.vae_scale_factor_temporal, pipeline.transformer.config.get("patch_size_t")
    lead = -((want.made - 1) // time + 1) % depth if depth else 0
    channels = pipeline.transformer.config.in_channels // 2
    return _Form("cogvideox", channels, time, pipeline.vae_scale_factor_spatial, lead, pipeline.text_encoder.dtype)


def _wan(pipeline: Any, want: Wanted) -> _Form:
    """(B, C, F, H, W)."""
    return _Form("wan", pipeline.vae.config.z_dim, pipeline.vae_scale_factor_temporal, pipeline.vae_scale_factor_spatial)


def _vace(pipeline: Any, want: Wanted) -> _Form:
    """(B, C, 1 + F, H, W): a latent frame in front for the one reference picture."""
    return _Form("wan", pipeline.vae.config.z_dim, pipeline.vae_scale_factor_temporal, pipeline.vae_scale_factor_spatial, lead=1)


def _svd(pipeline: Any, want: Wanted) -> _Form:
    """(B, F, C, H, W), a latent for every frame, in the type of the picture's encoder, to which the pipeline does not turn them."""
    return _Form("cogvideox", pipeline.unet.config.in_channels // 2, 1, pipeline.vae_scale_factor, dtype=pipeline.image_encoder.dtype)


_FORMS: dict[str, Callable[[Any, Wanted], _Form]] = {"cogvideox-i2v": _cogvideox, "wan-i2v": _wan, "vace": _vace, "svd-i2v": _svd}
