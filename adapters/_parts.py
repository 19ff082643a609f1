"""What a checkpoint may put onto a pipeline, loaded once, at work in every clip: LoRAs, experts that take turns, fused experts, a sound, noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from adapters import _experts as experts
from adapters import _fused, _noise, _speech
from adapters._bundle import Bundle
from adapters._checkpoint import load_lora
from adapters._inputs import Wanted
from adapters._kinds import Kind
from adapters._listening import listening
from adapters._making import StepEnd
from adapters._segments import Table, table
from benchmark.model import Case


@dataclass
class Held:
    """A pipeline with all its parts. state: what each part keeps between clips."""

    pipeline: Any
    kind: Kind
    bundle: Bundle
    device: str
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Clip:
    """One clip under way. stack: for what must be undone when it is finished."""

    case: Case
    want: Wanted
    seed: int
    steps: int
    guidance: float
    stack: ExitStack


@dataclass(frozen=True)
class Share:
    """What a part adds to a clip. more: arguments of the pipeline's call. step_end: called after every step. facts: for the record."""

    more: Mapping[str, Any] = field(default_factory=dict)
    step_end: StepEnd | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """sections: of the checkpoint.toml, any of which calls for it. load(held) puts it onto the pipeline, apply(held, clip) takes part in one clip."""

    name: str
    sections: tuple[str, ...]
    load: Callable[[Held], None]
    apply: Callable[[Held, Clip], Share]


def _load_loras(held: Held) -> None:
    """LoRAs that are always on; merged where they are to be, or where experts take turns beside them (which switch all others off)."""
    checkpoint = held.bundle.checkpoint
    on: list[tuple[str, float]] = []
    said = held.state["loras"] = []
    # Those that are merged come first: taking their layers away again takes away all that are there.
    for number, lora in sorted(enumerate(checkpoint.lora), key=lambda pair: not (pair[1].merge or checkpoint.expert)):
        name, merged = f"lora-{number}", bool(lora.merge or checkpoint.expert)
        rank = load_lora(held.pipeline, held.bundle.path(lora.file), name, lora.rank)
        said.append({"file": lora.file, "rank": rank, "weight": lora.weight, "merged": merged})
        if merged:
            held.pipeline.set_adapters([name], [lora.weight])
            held.pipeline.fuse_lora(adapter_names=[name])
            held.pipeline.unload_lora_weights()
        else:
            on.append((name, lora.weight))
    if on:
        held.pipeline.set_adapters([name for name, _ in on], [weight for _, weight in on])


def _loras(held: Held, clip: Clip) -> Share:
    return Share(facts={"loras": held.state["loras"]})


def segments_of(bundle: Bundle) -> Table:
    """The table of its [[segment]]s. InputError (`bad-segments`)."""
    checkpoint = bundle.checkpoint
    return table(((one.high, one.low, one.expert or None) for one in checkpoint.segment), checkpoint.scale)


def _load_turns(held: Held) -> None:
    checkpoint = held.bundle.checkpoint
    experts.load(held.pipeline, {one.name: held.bundle.path(one.file) for one in checkpoint.expert}, checkpoint.rank)
    held.state["segments"] = segments_of(held.bundle)


def _take_turns(held: Held, clip: Clip) -> Share:
    """Experts by timestep, and the early steps that are skipped."""
    turns = experts.take_turns(held.pipeline, held.state["segments"], clip.steps, held.device, held.bundle.checkpoint.skip_above)
    if turns.plan.first:
        clip.stack.enter_context(experts.skipping(held.pipeline, turns.plan.first))
    facts = {
        "segments": [str(segment) for segment in held.state["segments"].segments],
        "experts": list(turns.plan.experts),
        "skipped_steps": turns.plan.first,
    }
    return Share(step_end=turns.step_end, facts=facts)


def _load_fused(held: Held) -> None:
    checkpoint = held.bundle.checkpoint
    assert checkpoint.gate is not None
    gate, files = checkpoint.gate, {one.name: held.bundle.path(one.file) for one in checkpoint.expert}
    path = held.bundle.path(gate.file) if gate.file else None
    held.state["fused"] = _fused.load(held.pipeline, files, path, gate.level, checkpoint.rank, gate.constants or None)


def _fuse(held: Held, clip: Clip) -> Share:
    """All experts at once, weighed by timestep and module."""
    armed = _fused.arm(held.pipeline, held.state["fused"], clip.steps, held.device)
    weights = armed.table.mean(axis=1)
    return Share(step_end=armed.step_end, facts={**armed.facts, "mean_weights": [[round(float(w), 6) for w in row] for row in weights]})


def _load_audio(held: Held) -> None:
    audio = held.bundle.checkpoint.audio
    assert audio is not None
    held.state["speech"] = _speech.load(held.pipeline, held.bundle.path(audio.weights), held.bundle.path(audio.encoder))


def _hear(held: Held, clip: Clip) -> Share:
    """The case's sound, frame by frame; silence where it has none."""
    audio = held.bundle.checkpoint.audio
    assert audio is not None
    want, speech = clip.want, held.state["speech"]
    samples, facts = _speech.sound_of(clip.case, want.made / want.fps)
    heard = _speech.hear(speech, samples, want.made, want.fps, held.device)
    hears = listening(held.pipeline, speech, heard, scale=audio.scale, audio_guidance=audio.guidance, negative=audio.negative)
    clip.stack.enter_context(hears)
    return Share(facts={**facts, "scale": audio.scale, "guidance": audio.guidance, "negative": audio.negative})


def _draw(held: Held, clip: Clip) -> Share:
    """Initial latents that stick to the body's surface."""
    noise = held.bundle.checkpoint.noise
    assert noise is not None
    latents, facts = _noise.initial(held.pipeline, held.kind, clip.case, clip.want, noise, clip.seed)
    return Share(more={"latents": latents}, facts=facts)


def _nothing(held: Held) -> None:
    return None


PARTS = (
    Part("lora", ("lora",), _load_loras, _loras),
    Part("turns", ("segment",), _load_turns, _take_turns),
    Part("fused", ("gate",), _load_fused, _fuse),
    Part("audio", ("audio",), _load_audio, _hear),
    Part("noise", ("noise",), _nothing, _draw),
)
"""LoRAs come before what hooks into the layers that they wrap."""


def parts_of(bundle: Bundle) -> list[Part]:
    """The parts that a checkpoint calls for, in the order in which they are loaded."""
    there = bundle.checkpoint.parts
    return [part for part in PARTS if any(section in there for section in part.sections)]
