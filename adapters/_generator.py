"""Adapters on diffusers' pipelines: one shared way from a checkpoint and a case to a clip, its cost and its facts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters import _bundle as bundles
from adapters import _memory as memory
from adapters._bundle import TINY, Bundle
from adapters._checkpoint import config_of, load, look
from adapters._inputs import Wanted, wanted
from adapters._kinds import KINDS, Kind
from adapters._making import Options, StepEnd, make, store
from adapters._noise import learned
from adapters._parts import Clip, Held, parts_of
from adapters._tiny import MARK
from benchmark import machine, paths
from benchmark.data import plain
from benchmark.errors import InputError
from benchmark.generating import Generating, Settings
from benchmark.model import Case

if TYPE_CHECKING:
    from benchmark.media import HashCache

VERSION = 1
"""Raised when a bit of a clip changes."""
FACTS = ".facts.json"
SECTIONS = ("lora", "expert", "rank", "segment", "scale", "skip_above", "gate", "audio", "noise")
"""Of a checkpoint.toml, those that decide what is made."""
HEARD = 5
"""Frames of the shortest clip that hears: two latent frames."""
LATENT = 8
"""Pixels along a side of CogVideoX's latents."""
PACKAGES = ("torch", "diffusers", "transformers", "peft")
PICTURES = ("opencv-python-headless", "pillow", "av")
"""What decodes, resizes and draws a generator's inputs."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A generator. kinds: the pipelines it stands on, the first unless a checkpoint says otherwise. needs: sections that a checkpoint.toml must have. takes:
    those it may have besides. tiny(folder): makes the checkpoint of a rehearsal there and returns its path. published: where the trained checkpoint is, or
    that it is not. cannot: what a user must not expect of it.
    """

    id: str
    title: str
    summary: str
    paper: str
    published: str
    licence: str
    cannot: str
    kinds: tuple[str, ...]
    tiny: Callable[[Path], Path]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ("lora",)


@dataclass(frozen=True)
class Resolved:
    """What a clip is made with, after user, checkpoint and class have had their say."""

    kind: Kind
    steps: int
    guidance: float
    size: tuple[int, int] | None
    dtype: str
    device: str
    offload: bool
    frames: int | None
    prompt: str
    hears: bool

    def to_json(self) -> dict[str, Any]:
        """For the spec: all but where it runs."""
        said = {"kind": self.kind.id, "pipeline": self.kind.pipeline, "steps": self.steps, "guidance": self.guidance, "dtype": self.dtype}
        return {**said, "size": self.size, "frames": self.frames, "prompt": self.prompt}


def bundle_of(method: Method, settings: Settings) -> Bundle:
    """The checkpoint that the settings mean. Raises InputError as `_bundle.find` does, `checkpoint-missing` where none was named, `checkpoint-parts`."""
    said = bundles.named(method.id, settings.checkpoint)
    if said is None:
        raise InputError(
            f"`{method.id}` needs a checkpoint",
            code="checkpoint-missing",
            found="none named",
            expected=f"--checkpoint {method.id}=DIR, [checkpoints] in {paths.config_file()}, or BENCHMARK_CHECKPOINTS/{method.id}",
            hint=f"--checkpoint {method.id}={TINY} for a rehearsal; hvbench explain {method.id}",
        )
    if said == TINY:
        _installed()
        said = str(method.tiny(paths.cache_dir() / "checkpoints"))
    bundle = bundles.find(method.id, said)
    there = bundle.checkpoint.parts
    if bundle.checkpoint.idle:
        raise InputError(
            "says what has no effect",
            code="checkpoint-parts",
            path=bundle.where,
            found=", ".join(bundle.checkpoint.idle),
            expected="a [[segment]] or an [[expert]] beside it",
        )
    lacking = [name for name in method.needs if name not in there]
    extra = [name for name in there if name not in (*method.needs, *method.takes)]
    if lacking or extra:
        raise InputError(
            f"is no checkpoint of `{method.id}`",
            code="checkpoint-parts",
            path=bundle.where,
            found=f"no [{', '.join(lacking)}]" if lacking else f"[{', '.join(extra)}], which it does not take",
            expected=f"sections {', '.join((*method.needs, *(f'{name} (may be)' for name in method.takes)))}",
            hint=f"hvbench explain {method.id}",
        )
    return bundle


def resolved(method: Method, bundle: Bundle, settings: Settings) -> Resolved:
    """User first, then the checkpoint, then the class's published default. Raises InputError (`checkpoint-class`, `usage`)."""
    name = bundle.checkpoint.kind or method.kinds[0]
    if name not in method.kinds:
        raise InputError(
            f"`{method.id}` does not stand on this pipeline",
            code="checkpoint-class",
            path=bundle.where,
            found=name,
            expected=", ".join(method.kinds),
        )
    kind, said = KINDS[name], bundle.checkpoint.settings
    size = settings.size or said.size
    wrong = [f"size {size}"] if size is not None and (len(size) != 2 or min(size) < 1) else []
    wrong += [
        f"{key} {value}"
        for key, value, least in (("steps", said.steps, 1), ("guidance", said.guidance, 0))
        if value is not None and not least <= value < float("inf")
    ]
    if wrong:
        raise InputError(
            "[settings] cannot be",
            code="usage",
            path=bundle.where,
            found=", ".join(wrong),
            expected="steps >= 1, guidance >= 0, size [w, h]",
        )
    only = _only_size(bundle.base)
    try:
        fitted = only or (None if size is None else kind.size(size[0], size[1]))
    except ValueError as error:
        raise InputError("no such clip can be made", code="too-small", found=str(error), hint="--size WxH") from error
    return Resolved(
        kind=kind,
        steps=settings.steps or said.steps or kind.steps,
        guidance=next(value for value in (settings.guidance, said.guidance, kind.guidance) if value is not None),
        size=fitted,
        dtype=settings.dtype or said.dtype or ("float32" if settings.device == "cpu" else "bfloat16"),
        device=settings.device,
        offload=settings.offload,
        frames=settings.frames,
        prompt=said.prompt,
        hears=bundle.checkpoint.audio is not None,
    )


def _only_size(base: Path) -> tuple[int, int] | None:
    """(width, height) of the one size that a denoiser with learned positions makes (CogVideoX-5B-I2V), whatever is asked for; None of any other."""
    config = base / "transformer" / "config.json"
    told = config_of(config) if config.is_file() else {}
    if not told.get("use_learned_positional_embeddings"):
        return None
    if not all(isinstance(told.get(side), int) for side in ("sample_width", "sample_height")):
        raise InputError(
            "states no size of its learned positions", code="checkpoint-keys", path=config, expected="sample_width, sample_height"
        )
    return told["sample_width"] * LATENT, told["sample_height"] * LATENT


def identify(settings: Settings, hashes: HashCache, method: Method) -> dict[str, Any]:
    """What clips come from: files by content, sections, settings as resolved, versions. Looks at the pipeline's index, loads nothing."""
    _installed()
    bundle = bundle_of(method, settings)
    found = resolved(method, bundle, settings)
    look(bundle.base, found.kind)
    named = bundles.digests(bundle, hashes)

    def by_content(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: named.get(item, item) if key in ("file", "weights", "encoder") else by_content(item) for key, item in value.items()
            }
        return [by_content(item) for item in value] if isinstance(value, list) else value

    sections = {key: value for key, value in plain(bundle.checkpoint).items() if key in SECTIONS and value not in (None, [], ())}
    return {
        "base": bundles.content(bundle.base, hashes),
        "checkpoint": by_content(sections),
        **found.to_json(),
        "packages": {name: version(name) for name in (*PACKAGES, *PICTURES)},
        "rehearsal": rehearsal(bundle),
    }


def rehearsal(bundle: Bundle) -> bool:
    """Is this no trained model, by its own word or by its base's?"""
    return bundle.checkpoint.rehearsal or (bundle.base / MARK).exists()


def passes(case: Case, settings: Settings, method: Method) -> int:
    """Nominal function evaluations of a step."""
    bundle = bundle_of(method, settings)
    found = resolved(method, bundle, settings)
    want = _wanted(case, found)
    return _passes(found, bundle, want)


def _passes(found: Resolved, bundle: Bundle, want: Wanted) -> int:
    audio = bundle.checkpoint.audio
    deaf = found.kind.segments(want.made) if audio is not None and audio.guidance is not None else 0
    return found.kind.nfe(1, found.guidance, want.made) + deaf


def _wanted(case: Case, found: Resolved) -> Wanted:
    kind = dataclasses.replace(found.kind, least=max(HEARD, found.kind.least)) if found.hears else found.kind
    return wanted(case, kind, found.size, found.frames)


# One pipeline at a time: two of the published size do not fit beside each other. One that could not be had is not tried again for every clip.
_held: dict[str, Held] = {}
_failed: dict[str, InputError] = {}


def hold(bundle: Bundle, found: Resolved) -> Held:
    """The pipeline with all its parts, from memory where it is the last one used."""
    key = repr((bundle.checkpoint, bundle.base, bundle.folder, found.kind.id, found.dtype, found.device, found.offload))
    if key in _failed:
        raise _failed[key]
    if key not in _held:
        free()
        machine.settle_torch()
        try:
            with memory.told(f"{found.kind.pipeline} on {found.device}"):
                pipeline = load(bundle.base, found.kind, dtype=found.dtype, device=found.device, offload=found.offload)
                held = Held(pipeline, found.kind, bundle, found.device)
                for part in parts_of(bundle):
                    part.load(held)
        except InputError as error:
            if error.code != "out-of-memory":
                _failed[key] = error.with_traceback(None)
            raise
        _held[key] = held
    return _held[key]


def free() -> None:
    """Let go of the pipeline and of the device's memory."""
    _held.clear()
    _failed.clear()
    memory.give_back()


def generate(case: Case, settings: Settings, stem: Path, method: Method) -> Path:
    """One clip at STEM.mkv, what is to be known of it at STEM.facts.json. Raises InputError as the modules it stands on do."""
    bundle = bundle_of(method, settings)
    found = resolved(method, bundle, settings)
    want = _wanted(case, found)
    held = hold(bundle, found)
    machine.settle_torch()
    with ExitStack() as stack:
        clip = Clip(case, want, settings.seed, found.steps, found.guidance, stack)
        shares = {part.name: part.apply(held, clip) for part in parts_of(bundle)}
        more = {key: value for share in shares.values() for key, value in share.more.items()}
        ends = [share.step_end for share in shares.values() if share.step_end is not None]
        options = Options(settings.seed, found.steps, found.guidance, found.prompt, _one_after_the_other(ends), more)
        try:
            made = make(held.pipeline, found.kind, case, want, options, found.device)
        except BaseException:
            # Under offloading the part that was at work would stay on the device.
            held.pipeline.maybe_free_model_hooks()
            raise
    path = store(made, want, stem)
    skipped = int(shares["turns"].facts["skipped_steps"]) if "turns" in shares else 0
    facts = {
        **made.facts,
        "nominal_nfe": (found.steps - skipped) * _passes(found, bundle, want),
        "dtype": found.dtype,
        "offload": found.offload and found.device.startswith("cuda"),
        "rehearsal": rehearsal(bundle),
        "parts": {name: dict(share.facts) for name, share in shares.items()},
        "warnings": _warnings(held, settings, want),
        "cost": made.cost.to_json(),
        "machine": machine.describe(found.device),
        "compile": False,
    }
    paths.write_atomic(stem.with_name(stem.name + FACTS), json.dumps(plain(facts), indent=1))
    return path


def _warnings(held: Held, settings: Settings, want: Wanted) -> list[str]:
    """What a pipeline did otherwise than one may think."""
    said = learned(held.pipeline, want)
    if settings.size is not None and held.kind.size(*settings.size) != want.size:
        said.append(f"makes {want.size[0]}x{want.size[1]} and no other size; {settings.size[0]}x{settings.size[1]} was asked for")
    return said


def _one_after_the_other(ends: Sequence[StepEnd]) -> StepEnd | None:
    if not ends:
        return None

    def end(pipe: Any, step: int, t: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        for one in ends:
            tensors = one(pipe, step, t, tensors)
        return tensors

    return end


def facts(clip: Path) -> Mapping[str, Any]:
    """What `generate` left beside a clip."""
    found: dict[str, Any] = json.loads(clip.with_name(clip.name.removesuffix(clip.suffix) + FACTS).read_bytes())
    return found


def notes(clip: Path) -> list[str]:
    """What stands out in how a clip was made."""
    told = facts(clip)
    parts: Mapping[str, Mapping[str, Any]] = told["parts"]
    said = [str(part["warning"]) for part in parts.values() if part.get("warning")]
    return list(dict.fromkeys([*said, *told["warnings"]]))


def _installed() -> None:
    """Raises InputError (`not-installed`) without the extra."""
    for name in PACKAGES:
        try:
            version(name)
        except PackageNotFoundError as error:
            raise bundles.not_installed(ImportError(f"no module {error.name}")) from error


def lacks(method: Method) -> str:
    """What is still missing on this machine, in words."""
    if any(find_spec(name) is None for name in PACKAGES):
        return "diffusers: python -m pip install 'human-video-benchmark[diffusers]'"
    said = bundles.named(method.id, None)
    if said is None:
        return f"a checkpoint: --checkpoint {method.id}=DIR, or {TINY} for a rehearsal"
    try:
        bundle_of(method, Settings(checkpoint=said))
    except InputError as error:
        return f"a checkpoint: {error.what}: {error.path or said}"
    return ""


def adapter(method: Method) -> Generating:
    """A method as an adapter."""
    sections = ", ".join(f"[{name}]" for name in method.needs) or "none: a pipeline's folder will do"
    return Generating(
        id=method.id,
        version=VERSION,
        title=method.title,
        summary=method.summary,
        generate=partial(generate, method=method),
        needs="a checkpoint",
        source=method.paper,
        status="unrun with trained weights" + (", which are not public" if "not public" in method.published else ""),
        details=(
            ("stands on", ", ".join(f"{KINDS[name].pipeline} ({KINDS[name].source})" for name in method.kinds)),
            ("checkpoint", method.published),
            ("sections", sections + (f"; may have {', '.join(f'[{name}]' for name in method.takes)}" if method.takes else "")),
            ("licence", method.licence),
            ("cannot", method.cannot),
        ),
        notes=notes,
        facts=facts,
        identify=partial(identify, method=method),
        passes=partial(passes, method=method),
        lacks=partial(lacks, method),
        free=free,
    )
