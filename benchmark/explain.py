"""Words for everything registered: listings, and for one name all that decides its numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from benchmark import licences
from benchmark.errors import InputError
from benchmark.generating import Adapter, Generating
from benchmark.model import FeatureVariant, FrameVariant, Metric, ProtocolSpec, SetVariant, Suite, Variant
from benchmark.registry import registry
from benchmark.rows import ClipExtractor, ClipVariant, RegionVariant, extractors
from benchmark.workers import Worker, WorkerExtractor


def listing(kind: str) -> Iterator[str]:
    """One line a name, aligned."""
    known = registry()
    rows: list[tuple[str, str]]
    if kind == "metrics":
        rows = [(f"{m.name}@{v.id}", f"{m.item.title}: {_first(v.summary)}") for m in known.metrics.values() for v in m.item.variants]
    elif kind == "protocols":
        rows = [(name, e.item.title) for name, e in known.protocols.items()]
    elif kind == "suites":
        rows = [(name, f"{e.item.title} (splits: {', '.join(s.id for s in e.item.splits)})") for name, e in known.suites.items()]
    elif kind == "adapters":
        rows = [
            (name, f"{e.item.summary} [{e.item.status}]" + (f"; needs {lacking}" if (lacking := _lacks(e.item)) else ""))
            for name, e in known.adapters.items()
        ]
    elif kind == "workers":
        rows = [(name, f"{e.item.title}; licence {e.item.licence}") for name, e in known.workers.items()]
    else:
        from benchmark import weights

        rows = []
        for name, entry in known.weights.items():
            try:
                here = weights.locate(entry.item)
                state = f"here ({here.origin})" if here else "not here"
            except InputError as error:
                state = error.what
            size = f"{entry.item.bytes / 1e6:.0f} MB" if entry.item.bytes else "size unpublished"
            users = ", ".join(weights.users(name)) or "no registered metric yet"
            rows.append((name, f"{state}; {size}; licence {entry.item.licence}; for {users}"))
    width = max((len(name) for name, _ in rows), default=0)
    return (f"{name:<{width}}  {text}" for name, text in sorted(rows))


def _first(text: str) -> str:
    """The first clause, at most 100 characters."""
    return textwrap.shorten(text.split(";")[0].split(". ")[0], 100, placeholder=" ...")


def explain(name: str) -> str:
    """All that is known of a variant, metric, protocol, suite, adapter, weights file or worker. Raises InputError that lists near names."""
    known = registry()
    parts: list[str] = []
    if "@" in name:
        metric, variant = known.variant(name)
        parts.append(_variant(metric, variant))
    if name in known.metrics:
        metric = known.metrics[name].item
        parts.append("\n\n".join(_variant(metric, variant) for variant in metric.variants))
    if name in known.protocols:
        parts.append(_protocol(known.protocols[name].item))
    if name in known.suites:
        parts.append(_suite(known.suites[name].item))
    if name in known.adapters:
        parts.append(_adapter(known.adapters[name].item))
    if name in known.weights:
        entry = known.weights[name].item
        parts.append(
            _lines(
                entry.name,
                [
                    ("file", entry.file),
                    ("format", entry.format),
                    ("sha256", entry.sha256 or "never published"),
                    ("bytes", str(entry.bytes or "unpublished")),
                    ("licence", entry.licence),
                    ("urls", "\n".join(entry.urls)),
                    ("source", entry.source),
                ],
            )
        )
    if name in known.workers:
        parts.append(_worker(known.workers[name].item))
    if parts:
        return "\n\n".join(parts)
    import difflib

    names = [
        *known.metrics,
        *(f"{m.name}@{v.id}" for m in known.metrics.values() for v in m.item.variants),
        *known.protocols,
        *known.suites,
        *known.adapters,
        *known.weights,
        *known.workers,
    ]
    near = difflib.get_close_matches(name, names, n=4, cutoff=0.4)
    raise InputError(
        "nothing of that name",
        code="unknown-name",
        found=name,
        expected=", ".join(near) or "a variant, protocol, suite or adapter",
        hint="hvbench ls metrics",
    )


def _lines(head: str, rows: list[tuple[str, str]]) -> str:
    text = [head]
    for label, value in rows:
        if value:
            first, *rest = [" ".join(line.split()) for line in value.strip().splitlines()]
            text.append(f"  {label:<11} {first}")
            text += [f"  {'':<11} {line}" for line in rest]
    return "\n".join(text)


def _variant(metric: Metric, variant: Variant) -> str:
    better = {True: "higher is better", False: "lower is better", None: "neither direction is better"}[metric.better(variant)]
    unit = metric.unit if variant.unit is None else variant.unit
    rows = [
        ("metric", f"{metric.title}; {better}" + (f"; {unit}" if unit else "")),
        ("computed", variant.summary),
        ("source", variant.source),
        ("deviation", variant.deviation),
    ]
    if isinstance(variant, FrameVariant):
        rows.append(
            (
                "frames",
                "defined on grey levels: float frames are rounded half to even first"
                if variant.dtype == "uint8"
                else "uint8 or float32 on 0..255, as the protocol's size rule gives them",
            )
        )
        rows.append(("--ignore", "honoured" if variant.masks else "not possible: the clip is then unscored"))
    if isinstance(variant, FeatureVariant | SetVariant | ClipVariant | RegionVariant):
        used = [registry().extractors[name].item for name in extractors(variant)]
        used += [registry().extractors[item.over].item for item in used if isinstance(item, ClipExtractor)]
        for extractor in used:
            from_where = f"weights {', '.join(extractor.files) or 'none'}"
            if isinstance(extractor, WorkerExtractor):
                from_where = f"run by {extractor.worker} in another Python: hvbench explain {extractor.worker}"
            rows.append(("network", f"{extractor.id} v{extractor.version}: {extractor.summary}; {from_where}"))
            if isinstance(extractor, WorkerExtractor):
                rows += [("asked", f"{key}: {value!r}") for key, value in extractor.ask.items()]
    if left_out := getattr(variant, "left_out", ""):
        rows.append(("left out", f"frames without a value are left out and counted: {left_out}"))
    if variant.unverified:
        rows.append(("unverified", "no reference could be run: do not cite"))
    protocols = [name for name, e in registry().protocols.items() if f"{metric.name}@{variant.id}" in e.item.variants]
    rows.append(("protocols", ", ".join(protocols)))
    return _lines(f"{metric.name}@{variant.id}", rows)


def _worker(item: Worker) -> str:
    rows = [
        ("title", item.title),
        *(("option", f"--{option.flag}: {option.help}" + (" (needed)" if option.key in item.needed else "")) for option in item.options),
        ("settings", "; ".join(f"{key}: {value!r}" for key, value in item.settings.items())),
        ("versions of", ", ".join(item.packages)),
        ("licence", item.licence),
        ("terms", item.terms and f"{item.terms}\n{_state(item)}"),
        ("source", item.source),
    ]
    return _lines(item.id, rows)


def _state(item: Worker) -> str:
    return "accepted" if licences.accepted(item.id, item.terms) else f"not accepted yet: --accept-licence {item.id}"


def _protocol(item: ProtocolSpec) -> str:
    size = {
        "truth": "output to the truth's size",
        "fixed": f"both sides to {item.size.width}x{item.size.height}",
        "short-side": f"both sides to a short side of {item.size.side}",
    }[item.size.to]
    frames = [
        {"covered": "every output frame must meet a truth frame", "common": "all frames both sides have"}[item.frames.match],
        f"matched/truth >= {item.frames.coverage}" if item.frames.coverage else "",
        f"first {item.frames.first} truth frames" if item.frames.first else "",
        f"at least {item.frames.minimum} matched",
        "reference frame left out where known" if item.frames.drop_reference else "reference frame kept",
    ]
    time = {
        "equal": f"rates equal within {item.time.tolerance:.1%}",
        "nearest": "nearest output frame in time for each truth frame",
        "ignore": "rates not looked at",
    }[item.time.rule]
    rows = [
        ("title", item.title),
        ("version", f"{item.version}" + (f", supersedes {item.supersedes}" if item.supersedes else "")),
        ("frames", "; ".join(part for part in frames if part)),
        ("time", time),
        (
            "size",
            f"{size}, {item.size.filter}"
            + (f", aspect within {item.size.aspect:.0%}" if item.size.aspect is not None else ", aspect not looked at"),
        ),
        ("pooling", "mean over frames, then over clips" if item.pooling == "clips" else "every frame of every clip weighs the same"),
        ("variants", ", ".join(item.variants)),
        ("primary", ", ".join(item.primary)),
        ("source", item.source),
        ("notes", item.notes),
    ]
    return _lines(item.id, rows)


def _suite(item: Suite) -> str:
    rows = [
        ("title", item.title),
        ("version", str(item.version)),
        ("protocols", ", ".join(f"{p} (default)" if p == item.default_protocol else p for p in item.protocols)),
        ("layout", f"ROOT/{item.layout}" if item.layout else ""),
        ("sounds", f"ROOT/{item.audio}" if item.audio else ""),
    ]
    for split in item.splits:
        cases = f" [{len(split.cases)} cases]" if split.cases else ""
        rows.append(
            (
                "split",
                f"{split.id}{' (default)' if split.id == item.default_split else ''}: {split.summary}{cases}"
                + ("" if split.released else "; not fully released"),
            )
        )
    rows += [
        ("licence", item.licence),
        ("notes", item.notes),
        ("banner", item.banner),
        ("fallback", f"{item.fallback}, where no data was named" if item.fallback else ""),
    ]
    return _lines(item.id, rows)


def _lacks(item: Adapter) -> str:
    """What an adapter still needs on this machine; of one that cannot tell, what it needs at all."""
    return item.lacks() if isinstance(item, Generating) else item.needs


def _adapter(item: Adapter) -> str:
    return _lines(
        item.id,
        [
            ("title", item.title),
            ("makes", item.summary),
            ("needs", item.needs),
            ("lacks here", item.lacks() or "nothing" if isinstance(item, Generating) else ""),
            ("status", item.status),
            ("source", item.source),
            ("version", str(item.version)),
            *(item.details if isinstance(item, Generating) else ()),
        ],
    )
