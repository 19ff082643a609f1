"""The clips of a study: the record's, made alike in all that could tell a method (size, rate, length, sound, codec, file size, dates) but the picture.

The only report that decodes: it calls `benchmark.media`, inside functions, and nothing else of the engine.
"""

from __future__ import annotations

import os
import shutil
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import InputError, Unscored
from benchmark.record import Record

if TYPE_CHECKING:
    from benchmark.media import VideoInfo

TRUTH = "truth"
FASTEST = Fraction(60)
EPOCH = 946684800
"""Every file bears the date 2000-01-01: the order in which clips were written tells the method."""
FREEZE, BLOCKS = 8, 24
"""A degraded copy stands still for 8 frames at a time and shows 24 blocks along its longer side."""


@dataclass(frozen=True)
class Source:
    """A clip of the record. start: seconds of the first picture that all methods of the case have. crop: pixels of the file's picture."""

    method: str
    case: str
    path: Path
    sha256: str | None
    crop: tuple[int, int, int, int] | None
    fps: Fraction | None
    start: Fraction = Fraction(0)


def sources(record: Record, methods: Sequence[str], with_truth: bool) -> tuple[dict[str, list[Source]], dict[str, str]]:
    """({case: one Source a method, in that order, the truth last}, {case left out: why}). Of several seeds the first."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for unit, entry in record.journal.items():
        if unit.adapter in methods:
            found.setdefault(unit.case, {}).setdefault(unit.adapter, entry)
    whole: dict[str, list[Source]] = {}
    left: dict[str, str] = {}
    for case in (str(c["id"]) for c in record.header["spec"]["cases"]):
        entries = found.get(case, {})
        absent = [m for m in methods if "path" not in (entries.get(m, {}).get("generated") or {})]
        truths = [entries[m]["truth"] for m in methods if m in entries and "path" in (entries[m].get("truth") or {})]
        if absent:
            left[case] = f"no clip of {', '.join(absent)}"
        elif with_truth and not truths:
            left[case] = "no truth"
        else:
            whole[case] = _aligned(record.path, case, methods, entries, truths[0] if with_truth else None)
    return whole, left


def _aligned(
    root: Path, case: str, methods: Sequence[str], entries: Mapping[str, Mapping[str, Any]], truth: Mapping[str, Any] | None
) -> list[Source]:
    """The record's pairing tells which second of a clip goes with which of the truth; all start where the last one does."""
    begins: dict[str, tuple[Fraction, Fraction]] = {}
    for method in methods:
        pairing = next((view["pairing"] for view in entries[method].get("views", {}).values() if "pairing" in view), None)
        made, real = entries[method]["generated"], entries[method].get("truth") or {}
        if pairing and made.get("fps") and real.get("fps"):
            begins[method] = (pairing["generated"][0] / Fraction(made["fps"]), pairing["truth"][0] / Fraction(real["fps"]))
    latest = max((real for _, real in begins.values()), default=Fraction(0))
    found = []
    for method in methods:
        own, real = begins.get(method, (Fraction(0), latest))
        found.append(_source(root, method, case, entries[method]["generated"], own + latest - real))
    return [*found, *([_source(root, TRUTH, case, truth, latest)] if truth else [])]


def _source(root: Path, method: str, case: str, facts: Mapping[str, Any], start: Fraction) -> Source:
    crop = facts.get("crop")
    return Source(
        method,
        case,
        root / facts["path"],  # what an adapter made lies in the run, and is named from there
        facts.get("sha256"),
        (crop[0], crop[1], crop[2], crop[3]) if crop else None,
        Fraction(facts["fps"]) if facts.get("fps") else None,
        start,
    )


def check(source: Source) -> None:
    """Is the file still the one that was scored? InputError otherwise."""
    from benchmark.media import sha256_clip

    if not source.path.exists():
        raise InputError(
            "a clip of the record is not there any more",
            code="absent",
            path=source.path,
            found=f"{source.method}, case {source.case}",
            hint="put it back where it was, or leave its method out with --methods",
        )
    if source.sha256 and (found := sha256_clip(source.path)) != source.sha256:
        raise InputError(
            "the clip is not the one that was scored",
            code="changed",
            path=source.path,
            found=f"sha256 {found[:12]}",
            expected=source.sha256[:12],
            hint="run the benchmark again on the new clips",
        )


def write_case(clips: Sequence[tuple[Source, Path, bool]], side: int, *, sound: bool = True, crf: int = 20) -> tuple[bool, bool]:
    """Write the clips of one case alike: (source, file to write, degraded?). Returns (has sound?, one shape?).

    Size: the first source's shape, its shorter side `side` pixels; others are fitted into it on grey. Rate: the fastest of the case, pictures of slower
    clips are shown longer, none is dropped (above 60 a second: every so many). Length: the shortest. Sound: only if all have it, one channel, 16 kHz. H.264
    (crf as named) in MP4 without metadata, filled up to one size. InputError: as `media.probe` and `media.decode`; a clip without a rate.
    """
    from benchmark.media import probe

    infos = {source.path: probe(source.path, fps=source.fps) for source, _, _ in clips}
    for info in infos.values():
        if info.fps is None or info.times is None:
            raise InputError("the clip has no frame rate", code="no-rate", path=info.path, hint="run the benchmark with --fps")
    rate = min(FASTEST, max(info.fps for info in infos.values() if info.fps))
    seconds = min(_length(infos[source.path]) - source.start for source, _, _ in clips)
    count = int(seconds * rate)
    if count < 1:
        raise InputError("the clips of a case have no common time", code="no-overlap", path=clips[0][1], found=f"case {clips[0][0].case}")
    size = _size(clips[0][0], infos[clips[0][0].path], side)
    heard = {source.path: _samples(source, Fraction(count) / rate) for source, _, _ in clips} if sound else {}
    audible = sound and all(samples is not None for samples in heard.values())
    for source, path, bad in clips:
        shown = _pictures(source, infos[source.path], rate, count, size)
        _write(path, _spoilt(shown) if bad else shown, rate, heard[source.path] if audible else None, crf)
    most = -(-(max(path.stat().st_size for _, path, _ in clips) + 8) // 65536) * 65536
    for _, path, _ in clips:
        space = most - path.stat().st_size
        with path.open("ab") as file:
            file.write(struct.pack(">I4s", space, b"free") + bytes(space - 8))
        os.utime(path, (EPOCH, EPOCH))
    shapes = [_shape(source, infos[source.path]) for source, _, bad in clips if not bad]
    return audible, not shapes or max(shapes) <= 1.02 * min(shapes)


def copy_case(clips: Sequence[tuple[Source, Path, bool]], side: int) -> bool:
    """The clips of one case as they are, degraded copies made. True if all have sound. InputError for what a browser does not play, or what is cropped."""
    for source, path, bad in clips:
        if bad:
            write_case([(source, path, bad)], side)
            continue
        if source.path.suffix.lower() != ".mp4" or (source.crop and not _whole(source)):
            found = f"{source.path.suffix or 'a folder'}{', cropped' if source.crop and not _whole(source) else ''}"
            raise InputError(
                "cannot be copied as it is", code="usage", path=source.path, found=found, expected="a whole .mp4", hint="leave --copy out"
            )
        shutil.copyfile(source.path, path)
        os.utime(path, (EPOCH, EPOCH))
    return all(_samples(source, Fraction(1, 10)) is not None for source, _, bad in clips if not bad)


def _whole(source: Source) -> bool:
    from benchmark.media import probe

    info = probe(source.path)
    return source.crop == (0, 0, info.width, info.height)


def digest(path: Path) -> str:
    """sha256 of a written clip."""
    from benchmark.media import sha256_file

    return sha256_file(path)


def _length(info: VideoInfo) -> Fraction:
    assert info.times is not None
    assert info.fps is not None
    return info.times[-1] + 1 / info.fps


def _shape(source: Source, info: VideoInfo) -> float:
    width, height = source.crop[2:] if source.crop else (info.width, info.height)
    return width / height


def _size(source: Source, info: VideoInfo, side: int) -> tuple[int, int]:
    """(width, height), both even, as 4:2:0 needs."""
    width, height = source.crop[2:] if source.crop else (info.width, info.height)
    scale = side / min(width, height)
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def _pictures(source: Source, info: VideoInfo, rate: Fraction, count: int, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """(h, w, 3) RGB, `count` of them: at each moment the picture that a player would show."""
    from benchmark.media import decode

    assert info.times is not None
    wanted = [bisect_right(info.times, source.start + i / rate) - 1 for i in range(count)]
    at, index = 0, -1
    for chunk in decode(info):
        for picture in chunk:
            index += 1
            if at < count and wanted[at] == index:
                if source.crop:
                    x, y, w, h = source.crop
                    picture = picture[y : y + h, x : x + w]
                fitted = _fitted(picture, size)
                while at < count and wanted[at] == index:
                    yield fitted
                    at += 1
        if at == count:
            return


def _fitted(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """To the size; where the shape differs by more than 2 %, on grey, not stretched."""
    from PIL import Image

    width, height = size
    own = picture.shape[1] / picture.shape[0]
    if abs(own * height / width - 1) <= 0.02:
        inner = size
    else:
        inner = (width, max(1, round(width / own))) if own > width / height else (max(1, round(height * own)), height)
    resized = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(inner, Image.Resampling.LANCZOS))
    if inner == size:
        return resized
    out = np.full((height, width, 3), 128, np.uint8)
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    out[y : y + inner[1], x : x + inner[0]] = resized
    return out


def _spoilt(pictures: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Coarse blocks that move in jerks: worse than any method in every respect."""
    held: NDArray[np.uint8] | None = None
    for i, picture in enumerate(pictures):
        if held is None or i % FREEZE == 0:
            height, width = picture.shape[:2]
            step = max(2, max(height, width) // BLOCKS)
            held = picture[step // 2 :: step, step // 2 :: step].repeat(step, 0).repeat(step, 1)[:height, :width]
            held = np.pad(held, ((0, height - held.shape[0]), (0, width - held.shape[1]), (0, 0)), "edge")
        yield held


def _samples(source: Source, seconds: Fraction) -> NDArray[np.int16] | None:
    """(n,) of the clip's own sound from its start on, filled up with silence; None without sound."""
    if source.path.is_dir():
        return None
    from benchmark.media import SOUND_RATE, from_second, read_sound

    try:
        samples = from_second(read_sound(source.path), source.start)
    except Unscored:
        return None
    wanted = int(seconds * SOUND_RATE)
    return np.pad(samples[:wanted], (0, max(0, wanted - len(samples))))


def _write(path: Path, pictures: Iterator[NDArray[np.uint8]], rate: Fraction, samples: NDArray[np.int16] | None, crf: int) -> None:
    from benchmark.media import REPEATABLE, encode

    # one key frame a second: pairs are brought into step by seeking
    options = {"crf": str(crf), "preset": "veryfast", "g": str(max(1, round(rate))), **REPEATABLE}
    encode(path, pictures, rate, codec="h264", options=options)
    if samples is not None:
        silent = path.with_name(f".{path.stem}.silent.mp4")
        path.replace(silent)
        try:
            _with_sound(silent, path, samples)
        finally:
            silent.unlink()


def _with_sound(silent: Path, path: Path, samples: NDArray[np.int16]) -> None:
    """The same pictures with AAC beside them."""
    import av

    from benchmark.media import SOUND_RATE

    with av.open(str(silent)) as source, av.open(str(path), "w", container_options={"fflags": "+bitexact"}) as out:
        video = out.add_stream_from_template(source.streams.video[0])
        audio = out.add_stream("aac", rate=SOUND_RATE, options={"flags": "+bitexact"})
        audio.layout = "mono"
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                out.mux(packet)
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=SOUND_RATE, frame_size=1024)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SOUND_RATE, 0
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(audio.encode(part))
        out.mux(audio.encode(None))
