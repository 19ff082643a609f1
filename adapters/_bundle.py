"""A method's checkpoint: a pipeline's folder in diffusers' format, and a small TOML beside it that says what is put onto the pipeline. Data, checked, hashed.

adapter = "ipa"
base = "Wan2.1-VACE-14B-diffusers"     # a folder beside this file, any folder, or the id of a hub's repository that is on this machine

[settings]
steps = 50

[[lora]]
file = "ipa-halo.safetensors"
rank = 128
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from adapters._checkpoint import files_of
from adapters._noise import Noise
from benchmark import paths
from benchmark.data import from_mapping, load_toml
from benchmark.errors import InputError
from benchmark.generating import Dtype

if TYPE_CHECKING:
    from benchmark.media import HashCache

FILE = "checkpoint.toml"
TINY = "tiny"
BASE = "base"
_HUB = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")
READ = (".json", ".safetensors", ".txt", ".model")
"""Files of a pipeline's folder that decide what it makes: configurations, tensors, vocabularies."""


@dataclass(frozen=True, kw_only=True)
class Lora:
    """A LoRA that is always on. weight: scale on top of its own alpha / rank. merge: its product is added to the base's weights, which are then as
    fast as without it."""

    file: str
    rank: int | None = None
    weight: float = 1.0
    merge: bool = False


@dataclass(frozen=True, kw_only=True)
class Expert:
    """A LoRA that counts at times."""

    name: str
    file: str


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Timesteps low < t <= high belong to `expert`; empty = the base alone."""

    high: float
    low: float
    expert: str = ""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """How fused experts are weighed. level: `module`, `block`, `expert` (one for the whole network) or `none`. file: the gates' weights; level `none` has
    `constants` instead, {expert: weight}."""

    level: Literal["module", "block", "expert", "none"] = "block"
    file: str = ""
    constants: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Audio:
    """weights: of the cross-attention. encoder: folder of the wav2vec2. scale: of what is heard. guidance: scale of a third pass a step, without the sound
    (absent: the sound is dropped together with the prompt). negative: without such guidance, the negative prompt hears too, as the original has it."""

    weights: str
    encoder: str
    scale: float = 1.0
    guidance: float | None = None
    negative: bool = False


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What is taken where the user says nothing. prompt: where a case has none."""

    steps: int | None = None
    guidance: float | None = None
    size: tuple[int, ...] | None = None
    dtype: Dtype | None = None
    prompt: str = ""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The whole of a checkpoint.toml. kind: the pipeline's (absent: the adapter's first). rank: of the experts. scale: what timesteps are counted up to in
    `segment`. skip_above: denoising starts at the first timestep that is not above it. rehearsal: not a trained model; no clip of it is a result. sha256:
    {file: digest} that must hold, `base` for the pipeline's folder.
    """

    adapter: str
    base: str
    kind: str = ""
    licence: str = ""
    notes: str = ""
    rehearsal: bool = False
    settings: Defaults = field(default_factory=Defaults)
    lora: tuple[Lora, ...] = ()
    expert: tuple[Expert, ...] = ()
    rank: int | None = None
    segment: tuple[Segment, ...] = ()
    scale: float = 1000.0
    skip_above: float | None = None
    gate: Gate | None = None
    audio: Audio | None = None
    noise: Noise | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[str, ...]:
        """Which sections it has."""
        return tuple(name for name in ("lora", "expert", "segment", "gate", "audio", "noise") if getattr(self, name))

    @property
    def idle(self) -> tuple[str, ...]:
        """What it says to no effect."""
        said = [
            name
            for name in ("skip_above", "scale")
            if not self.segment and getattr(self, name) != getattr(Checkpoint(adapter="", base=""), name)
        ]
        return (*said, *(["rank"] if self.rank is not None and not self.expert else []))

    @property
    def files(self) -> tuple[str, ...]:
        """Files and folders it names, without the base."""
        named = [one.file for one in self.lora] + [one.file for one in self.expert] + ([self.gate.file] if self.gate else [])
        return tuple(name for name in (*named, *((self.audio.weights, self.audio.encoder) if self.audio else ())) if name)


@dataclass(frozen=True)
class Bundle:
    """A checkpoint on this machine. folder: where its files' names start. where: what is named in errors."""

    checkpoint: Checkpoint
    base: Path
    folder: Path
    where: Path

    def path(self, name: str) -> Path:
        """A file it names."""
        return self.folder / Path(name).expanduser()


def named(adapter: str, said: str | None) -> str | None:
    """What to load: as the user said, else as the configuration says, else its folder below BENCHMARK_CHECKPOINTS."""
    if said is not None:
        return said
    table: Mapping[str, str] = paths.config().get("checkpoints", {})
    folder = os.environ.get("BENCHMARK_CHECKPOINTS")
    if adapter not in table and folder and (Path(folder).expanduser() / adapter).is_dir():
        return str(Path(folder).expanduser() / adapter)
    return table.get(adapter)


def find(adapter: str, said: str) -> Bundle:
    """The checkpoint at `said`: a folder with a checkpoint.toml or such a file, a pipeline's folder, or a hub's id.

    Raises InputError: `checkpoint-missing`, `checkpoint-adapter` (it is another adapter's), and what is wrong with a TOML.
    """
    path = Path(said).expanduser()
    file = path / FILE if path.is_dir() else path
    if file.suffix == ".toml" and file.is_file():
        checkpoint = from_mapping(Checkpoint, load_toml(file), where=str(file))
        if checkpoint.adapter != adapter:
            raise InputError(
                "is the checkpoint of another adapter",
                code="checkpoint-adapter",
                path=file,
                found=checkpoint.adapter,
                expected=adapter,
                hint=f"--adapter {checkpoint.adapter}",
            )
        bundle = Bundle(checkpoint, _base(checkpoint.base, file.parent), file.parent, file)
        for name in checkpoint.files:
            if not bundle.path(name).exists():
                raise InputError("names a file that is not there", code="checkpoint-missing", path=file, found=str(bundle.path(name)))
        return bundle
    base = _base(said, Path())
    return Bundle(Checkpoint(adapter=adapter, base=said), base, base, base)


def _base(said: str, beside: Path) -> Path:
    folder = beside / Path(said).expanduser()
    if folder.is_dir():
        return folder
    if not _HUB.fullmatch(said):
        raise InputError(
            "there is no such checkpoint",
            code="checkpoint-missing",
            path=folder,
            found="a file" if folder.exists() else "nothing there",
            expected="a folder in diffusers' format, a folder with a checkpoint.toml, or ORGANISATION/NAME[@REVISION] of a hub",
            hint=f"--checkpoint {TINY} for a rehearsal",
        )
    try:
        from huggingface_hub import snapshot_download

        repository, _, revision = said.partition("@")
        return Path(snapshot_download(repository, revision=revision or None, local_files_only=True))
    except ImportError as error:
        raise not_installed(error) from error
    except (OSError, ValueError) as error:
        raise InputError(
            "is not on this machine",
            code="checkpoint-missing",
            path=said,
            found=f"no folder {folder}, and not in the hub's cache",
            expected="a folder, or a repository that was downloaded before",
            hint=f"hf download {repository}" + (f" --revision {revision}" if revision else ""),
        ) from error


def not_installed(error: ImportError) -> InputError:
    """The error without the extra."""
    return InputError(
        "diffusers is not installed",
        code="not-installed",
        found=str(error),
        hint="python -m pip install 'human-video-benchmark[diffusers]'",
    )


def digests(bundle: Bundle, hashes: HashCache) -> dict[str, str]:
    """{name: sha256} of the files and folders it names, without the base. Raises InputError (`hash-mismatch`) where its own [sha256] says otherwise."""
    found = {name: content(bundle.path(name), hashes) for name in bundle.checkpoint.files}
    for name, expected in bundle.checkpoint.sha256.items():
        if (content(bundle.base, hashes) if name == BASE and BASE not in found else found.get(name)) != expected:
            raise InputError(
                f"`{name}` is not the file that is meant",
                code="hash-mismatch",
                path=bundle.where,
                found=f"sha256 {found.get(name, 'of another content' if name == BASE else 'of nothing: no such name')}",
                expected=f"sha256 {expected}",
            )
    return found


def content(folder: Path, hashes: HashCache) -> str:
    """sha256 of a file; of a folder, over the names and digests of its files that decide what it makes, behind links too."""
    if not folder.is_dir():
        return hashes.sha256(folder)
    files = sorted(path for path in files_of(folder) if path.suffix in READ and path.is_file())
    listed = {path.relative_to(folder).as_posix(): hashes.sha256(path) for path in files}
    return hashlib.sha256(json.dumps(listed, sort_keys=True).encode()).hexdigest()
