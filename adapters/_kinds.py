"""The diffusers pipelines that adapters stand on: which class, which of its modules denoise, how long and how large a clip it makes. Data, no behaviour.

Class and argument names are diffusers' own (0.42): src/diffusers/pipelines/{wan,cogvideo,stable_video_diffusion}.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Kind:
    """pipeline: class in diffusers. denoisers: attributes whose forwards are function evaluations. passes: nominal evaluations a step under classifier-free
    guidance. steps, guidance: the class's published defaults. temporal: a clip has temporal * n + 1 frames (0: any length). spatial: sides are multiples of
    this. fps: rate at which its authors write clips. batched: does one call carry both halves of the guidance? least: frames of the shortest clip. segment:
    frames that are denoised together, where a longer clip is made piece by piece (0: all at once); overlap: how many of them the piece before has made.
    exact: parts that stay in float32 whatever the type, as the class's own examples load them.
    """

    id: str
    pipeline: str
    denoisers: tuple[str, ...]
    steps: int
    guidance: float
    fps: Fraction
    temporal: int = 4
    spatial: int = 16
    passes: int = 2
    batched: bool = False
    least: int = 1
    segment: int = 0
    overlap: int = 0
    exact: tuple[str, ...] = ()
    source: str = ""

    def length(self, frames: int) -> int:
        """The shortest clip of at least so many frames that the class makes. ValueError below 1."""
        if frames < 1:
            raise ValueError(f"a clip has at least one frame, not {frames}")
        frames = max(frames, self.least)
        if not self.temporal:
            return frames
        return -(-(frames - 1) // self.temporal) * self.temporal + 1

    def segments(self, made: int) -> int:
        """How many times all steps are run for a clip of so many frames. The last piece is denoised whole, whatever of it is then cut off."""
        if not self.segment:
            return 1
        return max(1, -(-(made - self.overlap) // (self.segment - self.overlap)))

    def nfe(self, steps: int, guidance: float, made: int) -> int:
        """Nominal function evaluations of a clip: steps x passes of a step x segments. One pass where the guidance is 1 or below."""
        return steps * (self.passes if guidance > 1 else 1) * self.segments(made)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The largest (width, height) that the class makes within this one. ValueError where a side is below the least."""
        if min(width, height) < self.spatial:
            raise ValueError(f"{self.pipeline} makes sides of {self.spatial} pixels and multiples, not {width}x{height}")
        return width // self.spatial * self.spatial, height // self.spatial * self.spatial


KINDS = {
    kind.id: kind
    for kind in (
        Kind(
            id="vace",
            pipeline="WanVACEPipeline",
            denoisers=("transformer", "transformer_2"),
            steps=50,
            guidance=5.0,
            fps=Fraction(16),
            exact=("vae", "image_encoder"),
            source="ali-vilab/VACE@48eb44f: 81 frames of 480x832 or 720x1280, 50 steps, shift 16, guidance 5",
        ),
        Kind(
            id="wan-i2v",
            pipeline="WanImageToVideoPipeline",
            denoisers=("transformer", "transformer_2"),
            steps=50,
            guidance=5.0,
            fps=Fraction(16),
            exact=("vae", "image_encoder"),
            source="Wan-AI Wan2.1-I2V-14B; diffusers' defaults",
        ),
        Kind(
            id="cogvideox-i2v",
            pipeline="CogVideoXImageToVideoPipeline",
            denoisers=("transformer",),
            steps=50,
            guidance=6.0,
            fps=Fraction(8),
            batched=True,
            source="CogVideoX-5b-I2V: 49 frames of 480x720 at 8 frames a second; diffusers' defaults",
        ),
        Kind(
            id="svd-i2v",
            pipeline="StableVideoDiffusionPipeline",
            denoisers=("unet",),
            steps=25,
            guidance=3.0,
            fps=Fraction(7),
            temporal=0,
            spatial=8,
            batched=True,
            least=2,
            source="stable-video-diffusion-img2vid-xt: 25 frames of 576x1024 at 7 frames a second; diffusers' defaults",
        ),
        Kind(
            id="wan-animate",
            pipeline="WanAnimatePipeline",
            denoisers=("transformer",),
            steps=20,
            guidance=1.0,
            fps=Fraction(30),
            temporal=0,  # whatever the length of the poses: the pipeline fills its last segment up by itself and cuts it off again
            least=2,
            segment=77,
            overlap=1,
            exact=("vae", "image_encoder"),
            source="Wan-Video/Wan2.2@42bf4cf: segments of 77 frames of 720x1280 at 30 frames a second, 20 steps, no guidance, shift 5",
        ),
    )
}
