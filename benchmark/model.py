"""The nouns of the benchmark: frozen, typed, without behaviour that touches a file, a device or a network.

A *variant* is arithmetic on aligned frames, or on features, of one clip or one set. A *protocol* is a suite's bundle of rules and variants.
A *unit* is one (adapter, case, seed). A number's full name is `suite/split : protocol : metric@variant`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8] | NDArray[np.float32]
"""(n, height, width, 3) RGB on 0..255: uint8 as decoded, or float32 after a float resize (clipped to 0..255, not rounded)."""
Counted = NDArray[np.bool_]
"""(height, width) True where a pixel counts; False inside an ignored inset."""
Values = NDArray[np.float64]
"""(n,) one value a frame; NaN = this frame is left out for the variant's stated reason."""


@dataclass(frozen=True)
class Rect:
    """A rectangle `x,y,w,h`: pixels, or fractions of width and height when `fractions` is True (all four in 0..1)."""

    x: float
    y: float
    w: float
    h: float
    fractions: bool = False


@dataclass(frozen=True)
class Source:
    """Where the frames of a clip lie and how to look at them.

    path: a video file or a folder of numbered images. crop: applied right after decoding. ignore: a rectangle of the (cropped) picture that no
    frame metric counts. fps: overrides the file's own rate (frames are then evenly spaced). offset: frame i belongs to truth frame i + offset.
    range: half-open range of truth frames that shall be compared (None = all that match). reference_frame: the truth frame this method was given
    as its reference picture (None = what the case says). keypoints: a file with the keypoints of every frame.
    """

    path: Path
    crop: Rect | None = None
    ignore: Rect | None = None
    fps: Fraction | None = None
    offset: int = 0
    range: tuple[int, int] | None = None
    reference_frame: int | None = None
    keypoints: Path | None = None


@dataclass(frozen=True)
class Case:
    """One item of a suite: what a generator is given and, where it exists, what really happened.

    truth may be absent: paired metrics are then `not applicable`, which is no failure. reference_frame: index into the truth of the frame that was
    handed to the generator as its reference picture (None = unknown). fps, frames: nominal rate and length where the suite states them.
    """

    id: str
    truth: Source | None = None
    reference: Path | None = None
    reference_frame: int | None = None
    pose: Path | None = None
    uv: Path | None = None
    masks: Path | None = None
    audio: Path | None = None
    prompt: str | None = None
    fps: Fraction | None = None
    frames: int | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


REAL = "@real"
"""Method name of the unpaired real set's units; no user's method can have it."""


@dataclass(frozen=True, order=True)
class Unit:
    """(adapter, case, seed): the idempotent piece of work. Its result is one journal line plus its shards."""

    adapter: str
    case: str
    seed: int = 0


# ---------------------------------------------------------------------------------------------------------------- metrics


class FrameScore(Interface):
    """(generated, truth, counted) -> (n,) float64, one value a frame. Both sides share shape (n, h, w, 3) and range 0..255."""

    def __call__(self, generated: Frames, truth: Frames, counted: Counted | None = None, /) -> Values:
        """Score n aligned frames."""


def mean(values: Values) -> float:
    """Arithmetic mean of (n,) values, n >= 1: the usual way from frames to a clip."""
    return float(np.mean(values))


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What all variants say of themselves. `explain` prints every field.

    id: lower case, unique within its metric. summary: exactly what is computed. source: paper, or file@commit, the formula comes from.
    deviation: known, measured difference to that source. unit, decimals, higher_is_better: override the metric's. unverified: no reference could be run.
    """

    id: str
    summary: str
    source: str
    deviation: str = ""
    unit: str | None = None
    decimals: int | None = None
    higher_is_better: bool | None = None
    unverified: bool = False


@dataclass(frozen=True, kw_only=True)
class FrameVariant(Variant):
    """Arithmetic on aligned frames of two clips.

    score: frames -> one value a frame. pool: the frames' values (NaN already taken out, at least one left) -> the clip's value.
    dtype: `uint8` = the arithmetic is defined on grey levels only (float frames are rounded half to even first); `any` = takes both.
    masks: honours `counted`. left_out: the reason recorded for frames scored NaN (empty = NaN is a fault and leaves the clip unscored).
    min_size: smallest side in pixels the formula is defined for.
    """

    score: FrameScore
    pool: Callable[[Values], float] = mean
    dtype: Literal["uint8", "any"] = "any"
    masks: bool = True
    left_out: str = ""
    min_size: int = 1


@dataclass(frozen=True, kw_only=True)
class FeatureVariant(Variant):
    """Arithmetic on paired features of two clips: score(generated (n, ...), truth (n, ...)) -> (n,), pooled as for frames."""

    extractor: str
    score: Callable[[Any, Any], Values]
    pool: Callable[[Values], float] = mean


@dataclass(frozen=True, kw_only=True)
class SetVariant(Variant):
    """A distance of two sets of features: distance(generated (n, d), truth (m, d)) -> one number. n and m may differ."""

    extractor: str
    distance: Callable[[NDArray[np.floating[Any]], NDArray[np.floating[Any]]], float]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric family: one file, one module-level `SPEC`.

    higher_is_better: None where neither direction is better. decimals: digits printed after the point; negative = significant digits
    in scientific notation.
    """

    name: str
    title: str
    higher_is_better: bool | None
    variants: tuple[Variant, ...]
    unit: str = ""
    decimals: int = 3

    def variant(self, id: str) -> Variant:
        """The variant of that id; KeyError otherwise."""
        return {variant.id: variant for variant in self.variants}[id]

    def better(self, variant: Variant) -> bool | None:
        """higher_is_better of one of its variants: its own, else the metric's."""
        return self.higher_is_better if variant.higher_is_better is None else variant.higher_is_better


# ------------------------------------------------------------------------------------------------------------- extractors


class Forward(Interface):
    """A network ready to run: a batch of constant shape (batch, ...) -> (batch, d) features as float32."""

    def __call__(self, batch: NDArray[Any], /) -> NDArray[np.float32]:
        """Run one batch."""


@dataclass(frozen=True)
class Marks:
    """What a page may draw of an extractor's rows. points: (n, d) rows -> (n, k, 2) x, y in pixels of the compared picture, NaN where nothing was found.
    lines: pairs of points to be joined."""

    points: Callable[[NDArray[Any]], NDArray[np.float64]]
    lines: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """A feature network and everything that decides its bits.

    window: frames per network input (1 = images, 0 = the whole clip as one input, batch then 1). stride: frames between two windows' starts.
    tail: what becomes of frames after the last whole window: dropped, or filled up by repeating the last frame. pool: `mean` = one row a clip, the
    mean of its windows' rows. sample(frames, fps): numbers of the frames that enter at all. minimum: fewer frames than this leave the clip unscored.
    batch: number of inputs in every forward, a constant; the last batch is padded by repetition and the padding's results are dropped.
    preprocess: (n, h, w, 3) frames on 0..255 -> (n, ...) network inputs, frame by frame. weights: name in the catalogue, or several: `build` then
    gets {name: state}. shapes: {tensor name: shape} the network is built from. rename(tensors): the file's names -> those of `shapes` (a prefix
    stripped, a classifier left out); of several files, both by file: {name: function}. build(state, device): state is {tensor name: float32 array}
    -> a Forward. script: graphs are among the weights (TorchScript, TensorFlow Lite, ONNX: the catalogue's format says which), run only where the
    catalogue pins the hash or leaves the file to the user; for these `build` gets the module or the bytes. exports: `build` gives a backends.TorchForward
    whose input has one shape, so that onnxruntime can run it. dimension: d. sound: the Forward takes (batch, sound), int16 samples at 16 kHz from the first
    compared frame on: of the clip, else of its case, or the other way round. exact: never TF32 or ONNX. store: to shards. version: raised when a bit changes.
    """

    id: str
    version: int
    summary: str
    source: str
    dimension: int
    batch: int
    preprocess: Callable[[Frames], NDArray[Any]]
    build: Callable[[Any, str], Forward]
    weights: str | tuple[str, ...] | None = None
    shapes: Callable[[], Mapping[str, tuple[int, ...]]] | Mapping[str, Callable[[], Mapping[str, tuple[int, ...]]]] | None = None
    rename: Callable[[Mapping[str, Any]], Mapping[str, Any]] | Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] | None = None
    window: int = 1
    stride: int = 1
    sample: Callable[[int, float], Sequence[int] | NDArray[np.int64]] | None = None
    tail: Literal["drop", "repeat-last"] = "drop"
    pool: Literal["none", "mean"] = "none"
    minimum: int = 1
    script: bool = False
    exports: bool = False
    exact: bool = False
    sound: Literal["", "clip", "case"] = ""
    store: bool = True
    marks: Marks | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its weights in the catalogue."""
        return () if self.weights is None else (self.weights,) if isinstance(self.weights, str) else self.weights


# -------------------------------------------------------------------------------------------------------------- protocols


@dataclass(frozen=True, kw_only=True)
class FrameRule:
    """Which frames are compared.

    match: `covered` = after the offset every output frame must meet a truth frame and matched/truth >= coverage; `common` = all frames both
    sides have. minimum: fewest matched frames. first: only the first so many truth frames (None = all).
    drop_reference: the truth frame that served as reference is left out where it is known.
    """

    match: Literal["covered", "common"]
    coverage: float = 0.0
    minimum: int = 1
    first: int | None = None
    drop_reference: bool = False


@dataclass(frozen=True, kw_only=True)
class SizeRule:
    """The picture size metrics see.

    to: `truth` = the output is brought to the truth's size; `fixed` = both sides to width x height; `short-side` = both sides so that the truth's
    shorter side is `side` pixels, aspect kept. filter: `bicubic` = antialiased, in float, clipped to 0..255, not rounded (Pillow's kernel, a = -0.5);
    `cv2-bilinear` = OpenCV INTER_LINEAR on uint8. A side that has the size already is not touched. aspect: largest relative difference of the
    two sides' width/height that is accepted (None = not checked).
    """

    to: Literal["truth", "fixed", "short-side"]
    filter: Literal["bicubic", "cv2-bilinear"]
    width: int | None = None
    height: int | None = None
    side: int | None = None
    aspect: float | None = None


@dataclass(frozen=True, kw_only=True)
class TimeRule:
    """How frame rates are reconciled: `equal` = must agree within `tolerance` (relative); `nearest` = for each truth frame the output frame nearest
    in time, no blending; `ignore` = frame by frame whatever the rates."""

    rule: Literal["equal", "nearest", "ignore"]
    tolerance: float = 0.001


@dataclass(frozen=True, kw_only=True)
class ProtocolSpec:
    """A named, never edited bundle of rules and variants. pooling: `clips` = mean over frames, then over clips; `frames` = every frame of every clip
    weighs the same. primary: the variants (at most 6) that form the family of a comparison."""

    id: str
    version: int
    title: str
    frames: FrameRule
    size: SizeRule
    time: TimeRule
    pooling: Literal["clips", "frames"]
    variants: tuple[str, ...]
    primary: tuple[str, ...]
    notes: str = ""
    source: str = ""
    supersedes: str | None = None


@dataclass(frozen=True, kw_only=True)
class Split:
    """A named list of cases. cases: ids in order; empty = every case found. released: False where part of the list was never published."""

    id: str
    summary: str
    cases: tuple[str, ...] = ()
    source: str = ""
    released: bool = True


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What is measured on what; data, not code.

    layout: pattern below the data root with `{case}` for the case id. audio: the same for the sound that is spoken to, where a
    `*` may stand for a folder. fps: rate of the data where its files state none. fallback: id of the generated suite used when no root was named.
    adapters: run when none is asked for. make: the maker of a generated suite's clips. A split without cases takes every clip it finds.
    """

    id: str
    version: int
    title: str
    default_protocol: str
    protocols: tuple[str, ...]
    splits: tuple[Split, ...]
    default_split: str
    layout: str = ""
    audio: str = ""
    fps: Fraction | None = None
    reference_frame: int | None = None
    fallback: str | None = None
    adapters: tuple[str, ...] = ()
    licence: str = ""
    notes: str = ""
    banner: str = ""
    make: str | None = None


# ----------------------------------------------------------------------------------------------------------------- scores


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row of scores.json. value is None exactly where `reason` says why. n_clips counts scored clips, n_failed the ones asked for but unscored.

    sd_clips: standard deviation over clips of the clips' values (each the mean over its seeds). sd_seeds: over the seeds of one clip, root of the mean
    variance; of a variant that pools clips, over the seeds' values. None where there are fewer than two, or no value a clip.
    """

    adapter: str
    suite: str
    suite_version: int
    split: str
    protocol: str
    metric: str
    variant: str
    weights: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    ci_method: str
    unit: str
    higher_is_better: bool | None
    n_clips: int
    n_frames: int
    n_failed: int
    n_left_out: int = 0
    reason: str = ""
    detail: str = ""
    primary: bool = False
    decimals: int = 3
    flags: tuple[str, ...] = ()
    n_seeds: int = 1
    sd_clips: float | None = None
    sd_seeds: float | None = None
