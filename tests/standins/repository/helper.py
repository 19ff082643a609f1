"""Writes a grid as torchvision's make_grid lays it out: panels of the reference's size with two black pixels around each."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image


def panels(reference: str, path: Path, count: int, rate: Fraction, wide: bool = False) -> None:
    picture = np.asarray(Image.open(reference).convert("RGB"))
    h, w = picture.shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 3 * (w + 2) + 2 + 4 * wide, h + 4, "bgr0"
        for i in range(count):
            grid = np.zeros((stream.height, stream.width, 3), np.uint8)
            grid[2 : 2 + h, 2 : 2 + w] = picture
            grid[2 : 2 + h, 4 + w : 4 + 2 * w] = 255
            grid[2 : 2 + h, 6 + 2 * w : 6 + 3 * w] = 5 * (i + 1)
            frame = av.VideoFrame.from_ndarray(grid, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = i, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
