"""What a case gives a generator, as pictures of the size that it makes: the reference, the poses of every frame, and how long the clip is to be."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters._kinds import Kind
from adapters._truth import frame_of
from benchmark.errors import InputError, Unscored
from benchmark.model import Case

Picture = NDArray[np.uint8]
LIMBS = (
    (5, 7), (7, 9), (6, 8), (8, 10), (5, 6), (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (0, 5), (0, 6), (0, 1), (0, 2), (1, 3), (2, 4),
)  # fmt: skip
"""Pairs of COCO-WholeBody's body rows that are drawn as limbs."""
FINGERS = tuple((0 if k % 4 == 1 else k - 1, k) for k in range(1, 21))
"""Pairs of a hand's 21 rows."""
HANDS = (91, 112)
FACE = slice(23, 91)
"""Rows of the face's 68 points."""
FACE_SCALE = 1.3
"""Area of a face's picture over that of the box round its points."""


@dataclass(frozen=True)
class Wanted:
    """frames: how many the case has. made: how many the generator makes for it, the first `frames` of which are kept. fps: at which the clip is written. size:
    (width, height) that is made. inside: x, y, width, height of the case's picture in it, where the two are of different shape: the clip is cut to it
    (None = the whole)."""

    frames: int
    made: int
    fps: Fraction
    size: tuple[int, int]
    inside: tuple[int, int, int, int] | None = None

    @property
    def cut(self) -> int:
        """Frames that are made and not kept."""
        return self.made - self.frames


def wanted(case: Case, kind: Kind, size: tuple[int, int] | None = None, first: int | None = None) -> Wanted:
    """Length, rate and size for a case. size: asked for by the user, else the truth's, else the reference's, made to fit the kind. first: only so many frames.

    Where neither truth nor case says how long the clip is, its sound does. Where the size has another shape than the case's picture, that stands in the
    middle as large as it can, with its own edge's pixels around it, and nothing is stretched by more than a rounding.

    Raises InputError: `no-length` where neither truth nor case says how long the clip is, `no-size`, `too-small`.
    """
    from benchmark.media import crop_box, probe, read_image

    truth = probe(case.truth.path, fps=case.truth.fps) if case.truth is not None else None
    frames = truth.frames if truth is not None else case.frames
    rate = (truth.fps if truth is not None else None) or case.fps or kind.fps
    if frames is None and case.audio is not None:
        frames = max(1, math.floor(_seconds(case.audio) * rate))
    if frames is None:
        raise InputError(
            "how long the clip is to be is not known",
            code="no-length",
            found=f"case {case.id}: no truth, no frames, no sound",
            hint="frames = N in cases.toml",
        )
    frames = frames if first is None else min(first, frames)
    own: tuple[int, int] | None = None
    if truth is not None:
        crop = case.truth.crop if case.truth is not None else None
        own = crop_box(crop, truth.width, truth.height)[2:] if crop else (truth.width, truth.height)
    elif case.reference is not None:
        height, width = read_image(case.reference).shape[:2]
        own = width, height
    size = size or own
    if size is None:
        raise InputError(
            "how large the clip is to be is not known", code="no-size", found=f"case {case.id}: no truth, no reference", hint="--size WxH"
        )
    try:
        made = kind.size(*size)
        return Wanted(frames, kind.length(frames), Fraction(rate), made, _inside(own or made, made))
    except ValueError as error:
        raise InputError("the case is too small for this generator", code="too-small", found=f"case {case.id}: {error}") from error


def _inside(picture: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The largest place in the middle of `size` for a picture of that shape; None where it leaves less than a rounding to multiples of 16."""
    scale = min(size[0] / picture[0], size[1] / picture[1])
    width, height = (max(2, round(side * scale / 2) * 2) for side in picture)
    if size[0] - width < 16 and size[1] - height < 16:
        return None
    return (size[0] - width) // 2, (size[1] - height) // 2, width, height


def placed(frame: Picture, want: Wanted, around: int | None = None) -> Picture:
    """A picture of the case in the size that is made. around: the grey level of what lies outside of it (None = its edge's pixels)."""
    if want.inside is None:
        return resized(frame, want.size)
    import cv2

    x, y, width, height = want.inside
    sides = (y, want.size[1] - y - height, x, want.size[0] - x - width)
    border = cv2.BORDER_REPLICATE if around is None else cv2.BORDER_CONSTANT
    return np.asarray(cv2.copyMakeBorder(resized(frame, (width, height)), *sides, border, value=(around or 0,) * 3), np.uint8)


def _seconds(path: Path) -> Fraction:
    """How long a sound is. Raises InputError (`no-length`) for a file without one."""
    from benchmark.media import SOUND_RATE, read_sound

    try:
        return Fraction(len(read_sound(path).samples), SOUND_RATE)
    except Unscored as reason:
        raise InputError(
            "how long the clip is to be is not known", code="no-length", path=path, found=reason.detail, hint="frames = N in cases.toml"
        ) from reason


def reference(case: Case, want: Wanted) -> Picture:
    """(h, w, 3) the case's reference picture, else the truth's frame that is known to be it, in its place. InputError: `no-reference`, `bad-range`."""
    from benchmark.media import probe, read_image

    if case.reference is not None:
        return placed(read_image(case.reference), want)
    if case.truth is None or case.reference_frame is None:
        raise InputError(
            "needs a reference picture", code="no-reference", found=f"case {case.id} names none", hint="--reference-frame '*=0'"
        )
    return placed(frame_of(probe(case.truth.path, fps=case.truth.fps), case.truth, case.reference_frame), want)


def poses(case: Case, want: Wanted, picture: tuple[int, int] | None = None) -> list[Picture]:
    """(h, w, 3) skeletons for every frame that is made: the case's pose video resized, or drawn from its keypoints; the last one is repeated for the
    frames that are made and not kept.

    picture: (width, height) in whose pixels keypoints are, else the truth's size. Raises InputError: `no-pose`, `pose-length` (fewer poses than frames of the
    case), `bad-keypoints`.
    """
    from benchmark.media import decode, probe

    if case.pose is None:
        raise InputError("needs a pose", code="no-pose", found=f"case {case.id} names none", hint="pose = FILE in cases.toml")
    if case.pose.suffix == ".npz":
        area = want.size if want.inside is None else want.inside[2:]
        found = [
            placed(drawn(points, seen, picture or _of(case), area), want, 0) for points, seen in zip(*_keypoints(case.pose), strict=True)
        ]
    else:
        info = probe(case.pose)
        with closing(decode(info)) as chunks:
            found = [placed(frame, want, 0) for chunk in chunks for frame in chunk]
    if len(found) < want.frames:
        raise _short(case.pose, len(found), want)
    return (found + [found[-1]] * max(0, want.made - len(found)))[: want.made]


def faces(case: Case, want: Wanted, side: int) -> list[Picture]:
    """(side, side, 3) the face of every frame that is made, cut out of the truth round the visible ones of its 68 keypoints and stretched to a square.

    The last one is repeated for the frames that are made and not kept. A frame that shows no face has a black one: what the pipeline itself shows where it
    guides away from the face.

    Nothing stands in for the truth: a face that is drawn from keypoints is nothing that a face's encoder has seen. Source of the box: Wan-Video/Wan2.2@a55e725
    wan/modules/animate/preprocess/utils.py, get_face_bboxes. Raises InputError: `no-face` (no truth, no keypoints, or no frame with a face), `pose-length`,
    `bad-keypoints`.
    """
    from benchmark.media import decode, probe

    if case.truth is None or case.pose is None or case.pose.suffix != ".npz":
        lacks = "no truth" if case.truth is None else "no pose" if case.pose is None else "a pose without keypoints"
        raise InputError(
            "needs the face of who drives the clip",
            code="no-face",
            path=case.pose,
            found=f"case {case.id}: {lacks}",
            expected="a truth, and its keypoints (n, 133, 2) in an .npz",
            hint="pose = FILE.npz in cases.toml",
        )
    points, seen = _keypoints(case.pose)
    if len(points) < want.frames:
        raise _short(case.pose, len(points), want)
    info = probe(case.truth.path, fps=case.truth.fps)
    boxes = [face_box(p[FACE][s[FACE]], (info.width, info.height)) for p, s in zip(points[: want.frames], seen, strict=False)]
    if not any(boxes):
        raise InputError("shows no face", code="no-face", path=case.pose, found=f"no two visible of 68 points in {len(boxes)} frames")
    found: list[Picture] = []
    with closing(decode(info)) as chunks:
        for frame in (frame for chunk in chunks for frame in chunk):
            if len(found) == want.frames:
                break
            box = boxes[len(found)]
            found.append(
                np.zeros((side, side, 3), np.uint8) if box is None else resized(frame[box[2] : box[3], box[0] : box[1]], (side, side))
            )
    return found + [found[-1]] * (want.made - len(found))


def face_box(points: NDArray[np.float64], picture: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """(x0, x1, y0, y1) pixels round (n, 2) points of a face: their box made larger in both directions to FACE_SCALE times the area, three quarters of what the
    height gains above (the forehead has no points), within the picture. None where there is nothing to cut."""
    if len(points) < 2:
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    more = (high - low) * (FACE_SCALE**0.5 - 1) / 2
    x0, x1 = int(max(low[0] - more[0], 0)), int(min(high[0] + more[0], picture[0]))
    y0, y1 = int(max(low[1] - 1.5 * more[1], 0)), int(min(high[1] + 0.5 * more[1], picture[1]))
    return (x0, x1, y0, y1) if x1 > x0 and y1 > y0 else None


def _short(path: Path, found: int, want: Wanted) -> InputError:
    return InputError(
        "has fewer poses than the case has frames", code="pose-length", path=path, found=str(found), expected=str(want.frames)
    )


def _of(case: Case) -> tuple[int, int]:
    from benchmark.media import probe

    if case.truth is None:
        raise InputError("keypoints in pixels of a picture whose size is not known", code="no-size", found=f"case {case.id}: no truth")
    info = probe(case.truth.path, fps=case.truth.fps)
    return info.width, info.height


def _keypoints(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """((n, 133, 2) pixels, (n, 133) seen)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError) as error:
        raise InputError(
            "does not parse as npz without pickled objects", code="bad-keypoints", path=path, found=str(error)[:200]
        ) from error
    points = arrays.get("keypoints")
    if points is None or points.ndim != 3 or points.shape[1:] != (133, 2):
        found = ", ".join(f"{name} {value.shape}" for name, value in arrays.items())
        raise InputError("holds no keypoints of 133 rows", code="bad-keypoints", path=path, found=found, expected="keypoints (n, 133, 2)")
    seen = np.asarray(arrays.get("visible", np.ones(points.shape[:2])), np.bool_)
    return points.astype(np.float64), seen & np.isfinite(points).all(axis=-1)


def drawn(points: NDArray[np.float64], seen: NDArray[np.bool_], picture: tuple[int, int], size: tuple[int, int]) -> Picture:
    """(h, w, 3) a skeleton on black: limbs and fingers as lines, each in a colour of its own. points: (133, 2) pixels of a picture of that size."""
    import cv2

    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    scaled = points * np.array(size) / np.array(picture)
    thick = max(1, round(min(size) / 128))
    pairs = [*LIMBS, *((first + a, first + b) for first in HANDS for a, b in FINGERS)]
    for number, (a, b) in enumerate(pairs):
        if seen[a] and seen[b]:
            hue = cv2.cvtColor(np.array([[[number * 180 // len(pairs), 255, 255]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
            ends = [(int(x), int(y)) for x, y in np.floor(np.clip(scaled[[a, b]], -10_000, 10_000))]
            cv2.line(canvas, ends[0], ends[1], tuple(map(int, hue)), thick)
    return canvas


def resized(frame: Picture, size: tuple[int, int]) -> Picture:
    """(h, w, 3) at (width, height): smaller by area, larger bicubically; as it is where it fits."""
    import cv2

    if frame.shape[1::-1] == size:
        return frame
    filter_ = cv2.INTER_AREA if frame.shape[1] >= size[0] and frame.shape[0] >= size[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, size, interpolation=filter_), np.uint8)
