"""Keypoints that come with a data set: the files people have, read into one layout, COCO-WholeBody's 133 points in pixels of the picture.

Read are .npz (nothing pickled) with one of these, n frames each:

- `keypoints` (n, 133, 2), or (n, 133, 3) with a score: pixels, the first pixel's centre at 0.5; `visible` (n, 133) beside it where it is known;
- `keypoints_with_neck` (n, 134, 2 or 3): DWPose's rows as EchoMimicV2 keeps them, the body in OpenPose's order with a neck;
- DWPose's parts as MusePose and others store them: `body_xy` (n, 18, 2), `hands_xy` (n, 2, 21, 2), `face_xy` (n, 1, 68, 2) as fractions of width and
  height, -1 where a point is missing, `body_subset` (n, 1, 18) with -1 where a body point is missing. One person.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError
from suites.people._layout import BODY, FACE, FEET, FROM_133, LEFT_HAND, NECK, POINTS, RIGHT_HAND, SEEN, without_neck

Floats = NDArray[np.float64]
WIDTH = 3 * POINTS
"""Numbers a frame: 133 times x, y in pixels and 1 where the point is seen, else 0."""
_PARTS = {"body_xy": (18, 2), "hands_xy": (2, 21, 2), "face_xy": (1, 68, 2)}
_FORMS = "keypoints (n, 133, 2), keypoints_with_neck (n, 134, 2), or body_xy, hands_xy and face_xy"
CODE = "bad-keypoints"


def read(path: Path, content: bytes, size: tuple[int, int]) -> Floats:
    """(n, 133, 3) x, y in pixels of a picture of (width, height), and 1 where the point is seen. path: for messages; content: the file's bytes.

    Raises InputError (`bad-keypoints`) that says what was found.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, TypeError, AttributeError) as error:
        raise InputError("does not parse as npz without pickled objects", code=CODE, path=path, found=str(error)[:200]) from error
    except Exception as error:  # a damaged archive: zipfile and zlib have errors of their own
        raise InputError("is damaged", code=CODE, path=path, found=f"{type(error).__name__}: {error}") from error
    if "keypoints_with_neck" in arrays:
        points, scores = _scored(path, "keypoints_with_neck", arrays, POINTS + 1)
        made, score = without_neck(points, scores)
        return _joined(path, made, score >= SEEN)
    if "keypoints" in arrays:
        points, scores = _scored(path, "keypoints", arrays, POINTS)
        return _joined(path, points, scores >= SEEN)
    if all(name in arrays for name in _PARTS):
        return _parts(path, arrays, size)
    raise InputError(
        "holds no keypoints",
        code=CODE,
        path=path,
        found=", ".join(f"{k} {v.shape}" for k, v in arrays.items()) or "nothing",
        expected=_FORMS,
    )


def _scored(path: Path, name: str, arrays: Mapping[str, NDArray[Any]], rows: int) -> tuple[Floats, Floats]:
    found = arrays[name]
    other = {POINTS: POINTS + 1, POINTS + 1: POINTS}[rows]
    if found.ndim != 3 or found.shape[1] != rows or found.shape[2] not in (2, 3) or found.dtype.kind not in "fiu":
        hint = None
        if found.ndim == 3 and found.shape[1] == other:
            hint = (
                "134 rows have DWPose's neck: name the array keypoints_with_neck"
                if rows == POINTS
                else "133 rows have no neck: name the array keypoints"
            )
        raise InputError(
            "has keypoints of another layout",
            code=CODE,
            path=path,
            found=f"{name} {found.shape} {found.dtype}",
            expected=f"(n, {rows}, 2) or (n, {rows}, 3)",
            hint=hint,
        )
    scores = found[..., 2] if found.shape[2] == 3 else np.ones(found.shape[:2])
    if np.isnan(scores).any():
        frame, point = np.argwhere(np.isnan(scores))[0]
        raise InputError(
            "has keypoints that are no numbers",
            code=CODE,
            path=path,
            found=f"the score of point {point} of frame {frame} is NaN",
            expected="scores of 0 and more",
        )
    seen = arrays.get("visible")
    if seen is not None:
        if seen.shape != found.shape[:2] or seen.dtype.kind not in "bfiu":
            raise InputError(
                "visible does not fit its keypoints",
                code=CODE,
                path=path,
                found=f"{seen.shape} {seen.dtype}",
                expected=f"{found.shape[:2]}, booleans or numbers",
            )
        scores = np.where(np.asarray(seen, np.bool_), np.maximum(scores, SEEN), 0.0)
    return found[..., :2].astype(np.float64), np.asarray(scores, np.float64)


def _parts(path: Path, arrays: Mapping[str, NDArray[Any]], size: tuple[int, int]) -> Floats:
    lengths = {arrays[name].shape[:1] for name in _PARTS}
    if len(lengths) != 1 or any(arrays[name].shape[1:] != shape or arrays[name].dtype.kind not in "fiu" for name, shape in _PARTS.items()):
        raise InputError(
            "has keypoints of another layout",
            code=CODE,
            path=path,
            found=", ".join(f"{name} {arrays[name].shape} {arrays[name].dtype}" for name in _PARTS),
            expected=", ".join(f"{name} (n, {', '.join(map(str, shape))})" for name, shape in _PARTS.items()) + ": one person",
        )
    ((n,),) = lengths
    relative = np.full((n, POINTS, 2), -1.0)
    body = np.asarray(arrays["body_xy"], np.float64)
    subset = arrays.get("body_subset", np.zeros((n, 1, len(BODY))))
    if subset.shape not in ((n, 1, len(BODY)), (n, len(BODY))) or subset.dtype.kind not in "fiu":
        raise InputError(
            "has keypoints of another layout",
            code=CODE,
            path=path,
            found=f"body_subset {subset.shape} {subset.dtype}",
            expected=f"({n}, 1, 18)",
        )
    subset = subset.reshape(n, len(BODY))
    for place, row in enumerate(FROM_133):
        if place != NECK:
            relative[:, row] = np.where((subset[:, place] >= 0)[:, None], body[:, place], -1.0)
    relative[:, FACE] = arrays["face_xy"][:, 0]
    relative[:, LEFT_HAND], relative[:, RIGHT_HAND] = arrays["hands_xy"][:, 0], arrays["hands_xy"][:, 1]
    seen = (relative >= 0).all(axis=-1) | np.isnan(relative).any(axis=-1)  # what is no number is told of, not taken for missing
    seen[:, FEET] = False
    return _joined(path, relative * np.array(size, np.float64), seen)


def _joined(path: Path, points: Floats, seen: NDArray[np.bool_]) -> Floats:
    bad = np.argwhere(~np.isfinite(points).all(axis=-1) & seen)
    if len(bad):
        frame, point = bad[0]
        raise InputError(
            "has keypoints that are no numbers",
            code=CODE,
            path=path,
            found=f"{len(bad)}, the first is point {point} of frame {frame}",
            expected="finite pixels; points that are not known by visible = 0, a score of 0, or -1",
        )
    return np.concatenate([np.where(seen[..., None], points, 0.0), seen[..., None]], axis=-1)


def placed(points: Floats, size: tuple[int, int], box: tuple[int, int, int, int], target: tuple[int, int]) -> Floats:
    """(n, 133, 3) in pixels of a picture of `size` -> in pixels of its part `box` (x, y, w, h) at `target` (width, height); those outside are not seen."""
    x, y, w, h = box
    moved = (points[..., :2] - np.array([x, y])) * np.array([target[0] / w, target[1] / h])
    inside = ((moved >= 0) & (moved < np.array(target))).all(axis=-1)
    seen = (points[..., 2] > 0) & (inside if (x, y, w, h) != (0, 0, *size) else True)
    return np.concatenate([np.where(seen[..., None], moved, 0.0), seen[..., None]], axis=-1)


def unpack(rows: NDArray[np.floating]) -> tuple[Floats, NDArray[np.bool_]]:
    """(n, WIDTH) -> ((n, 133, 2) pixels, (n, 133) seen). ValueError for rows of another width."""
    if rows.ndim != 2 or rows.shape[1] != WIDTH:
        raise ValueError(f"expected (n, {WIDTH}), found {rows.shape}")
    found = np.asarray(rows, np.float64).reshape(len(rows), POINTS, 3)
    return found[..., :2], found[..., 2] > 0
