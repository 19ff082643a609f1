"""The usual chain that the frame-metric table is timed against, and the clips both are given.

`python -m tests.benchmarks.chain TRUTH GENERATED WORK OUT.json` does what people type today: every video to a folder of PNG files with
OpenCV, then a loop over pairs of PNG files with scikit-image and numpy. Where there is a choice the chain gets the faster one: each pair
is read once for all metrics, one squared error serves both PSNRs, one absolute error both L1s, and the PNG files are written by OpenCV
(level 1) instead of ffmpeg. `--exact` decodes as this package does, slower than OpenCV but with the same pixels, so that values can be
compared; it is never timed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def make_clips(folder: Path, clips: int, frames: int, size: int, methods: tuple[str, ...] = ("a",), distinct: int = 20) -> None:
    """H.264 (yuv420p, crf 18) files `folder`/{truth, method ...}/0000.mp4 and so on, textured and noisy. Beyond `distinct` scenes files repeat."""
    from benchmark.media import encode
    from tests.formula import VARIANTS
    from tests.formula import frames as formula

    names = dict(zip(("truth", *methods), VARIANTS, strict=False))
    for side, name in names.items():
        (folder / side).mkdir(parents=True)
        for clip in range(clips):
            target = folder / side / f"{clip:04d}.mp4"
            if clip < distinct:
                encode(target, _pieces(formula, name, frames, size, clip), Fraction(25), codec="h264", options={"preset": "veryfast"})
            else:
                target.write_bytes((folder / side / f"{clip % distinct:04d}.mp4").read_bytes())


def _pieces(formula: Any, name: str, frames: int, size: int, scene: int) -> Iterator[Picture]:
    """The clip, made once for at most 48 frames and then run back and forth, so that a long one needs no memory."""
    made = formula(name, min(frames, 48), size, size, scene)
    for i in range(frames):
        k = i % (2 * len(made))
        yield made[k if k < len(made) else 2 * len(made) - 1 - k]


def opencv(path: Path) -> Iterator[Picture]:
    """Pictures in BGR, as OpenCV reads a video."""
    capture = cv2.VideoCapture(str(path))
    while True:
        good, picture = capture.read()
        if not good:
            break
        yield picture
    capture.release()


def exact(path: Path) -> Iterator[Picture]:
    """Pictures in BGR with the pixels this package decodes."""
    from benchmark.media import decode, probe

    for chunk in decode(probe(path)):
        yield from chunk[..., ::-1]


def to_png(videos: Path, target: Path, *, same_pixels: bool) -> None:
    """Every mp4 of a folder to `target`/stem/0000.png and so on."""
    for video in sorted(videos.glob("*.mp4")):
        folder = target / video.stem
        folder.mkdir(parents=True)
        for i, picture in enumerate(exact(video) if same_pixels else opencv(video)):
            cv2.imwrite(str(folder / f"{i:04d}.png"), picture)


def score(generated: Path, truth: Path) -> dict[str, float]:
    """Means over all pairs of PNG files of two trees, by the names this package has for them."""
    from skimage.metrics import structural_similarity

    rows = []
    for file in sorted(truth.glob("*/*.png")):
        x, y = cv2.imread(str(generated / file.relative_to(truth))), cv2.imread(str(file))
        assert x is not None
        assert y is not None
        difference = x.astype(np.float64) - y
        error, square = np.mean(np.abs(difference)), np.mean(difference**2)
        decibel = 20 * np.log10(255 / np.sqrt(square))
        settings: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
        gaussian = structural_similarity(x, y, channel_axis=-1, **settings)
        box = structural_similarity(cv2.cvtColor(x, cv2.COLOR_BGR2GRAY), cv2.cvtColor(y, cv2.COLOR_BGR2GRAY))
        rows.append((error / 255, decibel, gaussian, error / (x.shape[0] * x.shape[1]), decibel, box))
    names = ("l1@unit", "psnr@float", "ssim@gaussian", "l1@disco", "psnr@cap100", "ssim@disco")
    return {name: float(mean) for name, mean in zip(names, np.mean(rows, axis=0), strict=True)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="The usual chain.")
    parser.add_argument("truth", type=Path)
    parser.add_argument("generated", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--exact", action="store_true", help="decode as this package does")
    options = parser.parse_args()
    to_png(options.truth, options.work / "truth", same_pixels=options.exact)
    to_png(options.generated, options.work / "generated", same_pixels=options.exact)
    options.out.write_text(json.dumps(score(options.work / "generated", options.work / "truth")))


if __name__ == "__main__":
    main()
