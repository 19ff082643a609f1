"""Single pictures to disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """(h, w, 3) uint8 RGB to a PNG, written beside and moved into place."""
    from PIL import Image

    temporary = path.with_name(f".{path.stem}.{os.getpid()}.png")
    try:
        Image.fromarray(picture, "RGB").save(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
