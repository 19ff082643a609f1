"""What a case gives, as files of the kinds that repositories read: copies, so that nothing of the user's can be overwritten."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from adapters._truth import frame_of, truth_of
from benchmark.errors import InputError, Unscored
from benchmark.model import Case

if TYPE_CHECKING:
    from benchmark.media import VideoInfo

RATE = 16000


def missing(recipe: str, name: str, case: Case, expected: str, hint: str | None = None, path: Path | None = None) -> InputError:
    """The error for something a recipe wants and a case lacks."""
    return InputError(
        f"`{recipe}` needs the case's {name}",
        code="input-missing",
        path=path,
        found=f"case {case.id} has none that fits",
        expected=expected,
        hint=hint or f"name it in cases.toml; hvbench explain {recipe}",
    )


def reference(recipe: str, case: Case, folder: Path) -> Path:
    """reference.png: the case's reference picture, else the truth's reference frame."""
    from benchmark.media import read_image, write_png

    path = folder / "reference.png"
    if case.reference is not None:
        write_png(path, read_image(case.reference))
    elif case.truth is not None and case.reference_frame is not None:
        source, truth, _ = truth_of(case, recipe)
        write_png(path, frame_of(truth, source, case.reference_frame))
    else:
        raise missing(recipe, "reference", case, "a picture, or a truth whose reference frame is known", "--reference-frame '*=0'")
    return path


def driving(recipe: str, case: Case, folder: Path) -> Path:
    """driving.mp4: the truth, whose motion is asked for. An .mp4 is copied as it is, anything else encoded as H.264 at crf 10."""
    if case.truth is None:
        raise missing(recipe, "driving clip", case, "a truth, whose motion drives the picture", "--truth DIR or --data ROOT")
    source, truth, rate = truth_of(case, recipe)
    return _clip(truth, rate, folder / "driving.mp4", copied=source.crop is None and source.fps is None, source=source)


def pose(recipe: str, case: Case, folder: Path) -> Path:
    """pose.mp4: the case's rendered pose clip. Keypoints in an .npz are no pictures, and nothing is drawn from them here."""
    from benchmark.media import probe

    if case.pose is None or case.pose.suffix == ".npz" or not case.pose.exists():
        raise missing(
            recipe, "pose clip", case, "a video, or a folder of pictures, drawn the way the repository's own tool does", path=case.pose
        )
    info = probe(case.pose, fps=case.fps if case.pose.is_dir() else None)
    if info.fps is None:
        raise InputError(
            "the pose clip's frame rate is unknown", code="fps-unknown", path=case.pose, hint="fps = F of the case in cases.toml"
        )
    return _clip(info, info.fps, folder / "pose.mp4", copied=True)


def _clip(info: VideoInfo, rate: Fraction, path: Path, copied: bool, source: object = None) -> Path:
    from benchmark.media import decode, encode

    if copied and info.path.suffix == ".mp4":
        shutil.copyfile(info.path, path)
    else:
        encode(path, decode(info, crop=getattr(source, "crop", None)), rate, codec="h264", options={"crf": "10"})
    return path


def audio(recipe: str, case: Case, folder: Path) -> Path:
    """audio.wav: a .wav is copied, anything else decoded to one channel of 16 bits at 16 kHz."""
    from benchmark.media import read_sound

    path = folder / "audio.wav"
    if case.audio is None or not case.audio.is_file():
        raise missing(recipe, "sound", case, "a sound file", "--audio DIR", case.audio)
    if case.audio.suffix.lower() == ".wav":
        shutil.copyfile(case.audio, path)
        return path
    try:
        sound = read_sound(case.audio)
    except Unscored as reason:
        raise missing(recipe, "sound", case, f"a sound track ({reason})", path=case.audio) from None
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.samples.tobytes())
    return path


MAKERS: dict[str, Callable[[str, Case, Path], Path]] = {"reference": reference, "driving": driving, "pose": pose, "audio": audio}


def counted(recipe: str, case: Case, made: dict[str, Path], rate: Fraction | None) -> int:
    """Frames that the case asks for: of its pose clip, driving clip, its stated length, its truth, or its sound at `rate`. InputError where nothing tells."""
    from benchmark.media import probe, read_sound

    for name in ("pose", "driving"):
        if name in made:
            return probe(made[name]).frames
    if case.frames:
        return case.frames
    if case.truth is not None:
        return truth_of(case, recipe)[1].frames
    if "audio" in made and rate is not None:
        return max(1, int(len(read_sound(made["audio"]).samples) * rate / RATE))
    raise missing(recipe, "length", case, "frames = N of the case in cases.toml")
