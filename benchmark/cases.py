"""Cases from where a user has them: folders with one clip a case, a published data set's layout, a cases.toml, or a maker's clips."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmark import beside, data
from benchmark.errors import InputError
from benchmark.media import list_clips, parse_rect
from benchmark.model import Case, Rect, Source, Split, Suite
from benchmark.request import Request

TRUTH, REAL, ANY = "truth", "real", "*"
FORMAT = 1


@dataclass(frozen=True)
class Gathered:
    """Everything found: cases in order, each method's clips by case, the unpaired real set, pinned hashes, notes for the user."""

    cases: tuple[Case, ...]
    outputs: Mapping[str, Mapping[str, Source]]
    real: Mapping[str, Source] = field(default_factory=dict)
    pinned: Mapping[Path, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    suite: str | None = None
    split: str | None = None


def gather(request: Request, suite: Suite, split: Split) -> Gathered:
    """Collect cases and clips for `request`. Raises InputError for a named root that is absent, empty or incomplete, and for names that fit nothing."""
    if request.cases_file:
        found = from_file(request.cases_file, request)
        _check_names(request, found.outputs)
    else:
        _check_names(request, request.outputs)
        found = _from_data(request, suite, split) if request.data else _from_folders(request, split)
    return _pick(found, request)


def _check_names(request: Request, outputs: Mapping[str, object]) -> None:
    known = {*outputs, *(word.partition("=")[0] for word in request.adapters), TRUTH, REAL, ANY}
    for option, names in (
        ("--offset", request.offsets),
        ("--crop", request.crops),
        ("--ignore", request.ignores),
        ("--fps", request.fps),
        ("--frames", request.ranges),
        ("--reference-frame", request.reference_frames),
        ("--keypoints", request.keypoints),
    ):
        # Keypoints lie beside finished clips: a clip that is yet to be made has none, and one folder cannot belong to all methods.
        allowed = {*outputs, TRUTH} if option == "--keypoints" else known
        for name in names:
            if name not in allowed:
                raise InputError(
                    f"{option} names a method that is not in this run"
                    if name not in known
                    else f"{option} takes finished outputs or truth",
                    code="unknown-name",
                    found=name,
                    expected=", ".join(sorted(allowed)),
                )
    for name in outputs:
        check_name(name, "--outputs", str(request.outputs.get(name, "DIR")))
        if name in request.adapters:
            raise InputError(
                "two methods of one name", code="collision", found=f"--outputs {name}=... and --adapter {name}", hint="rename the outputs"
            )


def check_name(name: str, option: str, value: str) -> None:
    """Raises InputError for a name that no method can have. option, value: where it was said, for the hint."""
    if name in (TRUTH, REAL, ANY):
        raise InputError(
            "this name stands for something else",
            code="bad-id",
            found=repr(name),
            expected=f"a method's own name; {TRUTH}, {REAL} and {ANY} are taken by options such as --crop",
            hint=f"{option} {name if name != ANY else 'all'}-clips={value}",
        )
    if name != name.lower() or not name or any(c in name for c in " @:/\\=*"):
        raise InputError(
            "a method's name is lower case, without space, @, :, /, = or *",
            code="bad-id",
            found=repr(name),
            hint=f"{option} {name.lower().replace(' ', '-') or 'name'}={value}",
        )


def source(path: Path, name: str, request: Request, suite_fps: Fraction | None = None, base: Source | None = None) -> Source:
    """How method `name` (or `truth`, `real`) is looked at: cases.toml first, then `*`, then the name's own option."""
    wild = name not in (TRUTH, REAL)
    start = base or Source(path=path, fps=suite_fps)

    def pick(options: Mapping[str, Any], default: Any) -> Any:
        return options.get(name, options.get(ANY, default) if wild else default)

    return dataclasses.replace(
        start,
        path=path,
        crop=pick(request.crops, start.crop),
        ignore=pick(request.ignores, start.ignore),
        fps=pick(request.fps, start.fps),
        offset=pick(request.offsets, start.offset) if wild else start.offset,
        range=pick(request.ranges, start.range) if wild else start.range,
        reference_frame=pick(request.reference_frames, start.reference_frame) if wild else start.reference_frame,
        keypoints=beside.of(request.keypoints[name], path) if name in request.keypoints else start.keypoints,
    )


def _from_folders(request: Request, split: Split) -> Gathered:
    notes: list[str] = []
    truths = list_clips(request.truth) if request.truth else None
    methods = {name: list_clips(path) for name, path in request.outputs.items()}
    if truths is not None and len(truths) == 1 and request.truth and _is_single(request.truth):
        # Single files need not share a stem: `--truth a.mp4 --outputs x=b.mp4` is one case, named after the truth.
        only = next(iter(truths))
        methods = {n: {only: next(iter(c.values()))} if len(c) == 1 and _is_single(request.outputs[n]) else c for n, c in methods.items()}
    wanted = list(truths) if truths is not None else _union(methods.values())
    if split.cases:
        lacking = [case for case in split.cases if case not in wanted]
        if lacking:
            raise InputError(
                f"split {split.id} is incomplete here",
                code="incomplete",
                path=request.truth,
                found=f"missing {', '.join(lacking[:8])}",
                expected=f"{len(split.cases)} cases",
            )
        wanted = list(split.cases)
    for name, clips in methods.items():
        extra = [stem for stem in clips if stem not in wanted]
        if extra and truths is not None:
            notes.append(
                f"{request.outputs[name]}: {len(extra)} clip(s) have no truth of the same stem and are not scored: {', '.join(extra[:5])}"
            )
    sounds = beside.sounds(request.audio) if request.audio else {}
    cases = tuple(
        Case(id=stem, truth=source(truths[stem], TRUTH, request) if truths is not None else None, audio=sounds.get(stem)) for stem in wanted
    )
    outputs = {name: {stem: source(clips[stem], name, request) for stem in wanted if stem in clips} for name, clips in methods.items()}
    return Gathered(cases, outputs, _real(request), notes=tuple(notes), split="folder" if not split.cases else split.id)


def _is_single(path: Path) -> bool:
    """True where list_clips made one clip of `path` itself: a file, or a folder that directly holds numbered images."""
    return path.is_file() or [*list_clips(path).values()] == [path]


def _union(tables: Iterable[Mapping[str, Path]]) -> list[str]:
    seen: dict[str, None] = {}
    for table in tables:
        seen.update(dict.fromkeys(table))
    return list(seen)


def _real(request: Request) -> dict[str, Source]:
    return {stem: source(path, REAL, request) for stem, path in list_clips(request.real).items()} if request.real else {}


def _from_data(request: Request, suite: Suite, split: Split) -> Gathered:
    root = request.data
    assert root is not None
    if not root.is_dir():
        code, what = ("absent", "the data root does not exist") if not root.exists() else ("not-a-folder", "the data root is not a folder")
        raise InputError(
            what,
            code=code,
            path=root,
            expected=f"{suite.id}: {suite.layout or '{case}.mp4'}",
            hint="check the spelling of --data, BENCHMARK_DATA or the configuration",
        )
    if suite.audio and not suite.layout:
        return _from_sounds(request, suite, split, root)
    if split.cases:
        paths = {case: root / suite.layout.format(case=case) for case in split.cases}
        chosen = [c for c in split.cases if not request.cases or c in request.cases][: request.limit]
        lacking = [case for case in chosen if not paths[case].exists()]
        if lacking:
            raise InputError(
                f"the data root is incomplete for split {split.id}",
                code="incomplete",
                path=root,
                found=f"{len(lacking)} of {len(chosen)} cases missing: {', '.join(lacking[:8])}",
                expected=str(paths[lacking[0]]),
                hint="another root, another --split, or --case for the ones you have",
            )
        paths = {case: paths[case] for case in chosen}
    else:
        paths = list_clips(root)
    methods = {name: list_clips(path) for name, path in request.outputs.items()}
    cases = tuple(
        Case(id=case, truth=source(path, TRUTH, request, suite.fps), reference_frame=suite.reference_frame, fps=suite.fps)
        for case, path in paths.items()
    )
    outputs = {name: {case: source(clips[case], name, request) for case in paths if case in clips} for name, clips in methods.items()}
    return Gathered(cases, outputs, _real(request), split=split.id)


def _from_sounds(request: Request, suite: Suite, split: Split, root: Path) -> Gathered:
    """Cases of a suite without truths: what there is to say."""
    cases = split.cases or tuple(beside.stems(root, suite.audio))
    found = {case: beside.one(root, suite.audio, case) for case in cases}
    lacking = [case for case, path in found.items() if path is None]
    if lacking or not found:
        raise InputError(
            f"the data root is incomplete for split {split.id}",
            code="incomplete",
            path=root,
            found=f"{len(lacking)} of {len(found)} sounds missing" + (f": {', '.join(lacking[:8])}" if lacking else ""),
            expected=suite.audio.format(case=lacking[0] if lacking else "{case}"),
            hint=f"hvbench explain {suite.id}",
        )
    methods = {name: list_clips(path) for name, path in request.outputs.items()}
    outputs = {name: {case: source(clips[case], name, request) for case in cases if case in clips} for name, clips in methods.items()}
    return Gathered(
        tuple(Case(id=case, audio=path, fps=suite.fps) for case, path in found.items()), outputs, _real(request), split=split.id
    )


def from_made(made: tuple[Case, ...], request: Request, split: Split) -> Gathered:
    """The cases of a maker (a suite whose clips are generated on this machine)."""
    _check_names(request, {})
    return _pick(Gathered(made, {}, split=split.id), request)


def _pick(found: Gathered, request: Request) -> Gathered:
    ids = [case.id for case in found.cases]
    unknown = [case for case in request.cases if case not in ids]
    if unknown:
        raise InputError(
            "no such case", code="unknown-name", found=", ".join(unknown), expected=", ".join(ids[:20]) + (" ..." if len(ids) > 20 else "")
        )
    cases = tuple(_with_keypoints(case) for case in found.cases if not request.cases or case.id in request.cases)
    if request.limit is not None:
        if request.limit < 1:
            raise InputError("--limit takes a positive number of cases", found=str(request.limit))
        cases = cases[: request.limit]
    return dataclasses.replace(found, cases=cases)


def _with_keypoints(case: Case) -> Case:
    """A truth without keypoints of its own has those of the case's pose file, where that is one."""
    if case.truth is None or case.truth.keypoints is not None or case.pose is None or case.pose.suffix != ".npz":
        return case
    return dataclasses.replace(case, truth=dataclasses.replace(case.truth, keypoints=case.pose))


# -------------------------------------------------------------------------------------------------------------- cases.toml


@dataclass(frozen=True)
class ClipTable:
    """One clip of a cases.toml."""

    path: str
    sha256: str | None = None
    crop: str | None = None
    ignore: str | None = None
    fps: Fraction | None = None
    offset: int = 0
    range: tuple[int, ...] | None = None
    reference_frame: int | None = None
    keypoints: str | None = None


@dataclass(frozen=True)
class CaseTable:
    """One case of a cases.toml."""

    id: str
    truth: ClipTable | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    reference: str | None = None
    reference_frame: int | None = None
    pose: str | None = None
    uv: str | None = None
    masks: str | None = None
    audio: str | None = None
    prompt: str | None = None
    fps: Fraction | None = None
    frames: int | None = None


@dataclass(frozen=True)
class CasesFile:
    """A whole cases.toml: suite, split, cases and, for unpaired sets, real clips."""

    format: int
    case: tuple[CaseTable, ...]
    suite: str | None = None
    split: str | None = None
    real: Mapping[str, Any] = field(default_factory=dict)


def read_file(path: Path) -> CasesFile:
    """Parse and check a cases.toml without opening a clip."""
    table = data.from_mapping(CasesFile, data.load_toml(path), where=str(path))
    if table.format != FORMAT:
        raise InputError("unknown format of cases.toml", path=path, found=f"format = {table.format}", expected=f"format = {FORMAT}")
    seen: set[str] = set()
    for case in table.case:
        if case.id in seen:
            raise InputError("two cases of one id", code="duplicate-case", path=path, found=case.id)
        if not case.id or case.id != case.id.strip():
            raise InputError("a case's id is not empty and has no space around it", code="bad-id", path=path, found=repr(case.id))
        seen.add(case.id)
    if not table.case:
        raise InputError(
            "holds no case", code="empty", path=path, expected="[[case]] tables", hint="hvbench manifest --truth DIR --outputs NAME=DIR"
        )
    return table


def from_file(path: Path, request: Request) -> Gathered:
    """The cases of a cases.toml; paths are relative to the file. Options of the command line win over the file's."""
    table = read_file(path)
    pinned: dict[Path, str] = {}

    def clip(entry: ClipTable, name: str) -> Source:
        where = (path.parent / entry.path).resolve() if not Path(entry.path).is_absolute() else Path(entry.path)
        if entry.sha256:
            pinned[where] = entry.sha256
        if entry.range is not None and len(entry.range) != 2:
            raise InputError("range is [first, last + 1]", path=path, found=str(list(entry.range)))
        base = Source(
            where,
            _rect(entry.crop),
            _rect(entry.ignore),
            entry.fps,
            entry.offset,
            (entry.range[0], entry.range[1]) if entry.range else None,
            entry.reference_frame,
            (path.parent / entry.keypoints).resolve() if entry.keypoints else None,
        )
        return source(where, name, request, base=base)

    def beside(name: str | None) -> Path | None:
        return (path.parent / name).resolve() if name else None

    cases: list[Case] = []
    outputs: dict[str, dict[str, Source]] = {}
    for entry in table.case:
        for name, raw in entry.outputs.items():
            one = data.from_mapping(ClipTable, raw, where=f"{path} case {entry.id!r} outputs.{name}")
            outputs.setdefault(name, {})[entry.id] = clip(one, name)
        truth = clip(entry.truth, TRUTH) if entry.truth else None
        if truth is not None and truth.fps is None and entry.fps is not None and TRUTH not in request.fps:
            truth = dataclasses.replace(truth, fps=entry.fps) if truth.path.is_dir() else truth
        cases.append(
            Case(
                id=entry.id,
                truth=truth,
                reference=beside(entry.reference),
                reference_frame=entry.reference_frame,
                pose=beside(entry.pose),
                uv=beside(entry.uv),
                masks=beside(entry.masks),
                audio=beside(entry.audio),
                prompt=entry.prompt,
                fps=entry.fps,
                frames=entry.frames,
            )
        )
    for name, folder in request.outputs.items():
        clips = list_clips(folder)
        outputs[name] = {case.id: source(clips[case.id], name, request) for case in cases if case.id in clips}
    real = {stem: clip(data.from_mapping(ClipTable, raw, where=f"{path} real.{stem}"), REAL) for stem, raw in table.real.items()}
    return Gathered(tuple(cases), outputs, real or _real(request), pinned, suite=table.suite, split=table.split or "folder")


def _rect(text: str | None) -> Rect | None:
    return parse_rect(text) if text else None
