"""Event files for TensorBoard: a folder a method, a scalar a number, a curve over clips."""

from __future__ import annotations

from benchmark.record import safe_name, to_text
from reports._export_rows import Asked, folder, missing
from reports._rows import name_of


def export(asked: Asked) -> str:
    """Scalars `protocol/metric@variant` at `--step`, with `ci_low` and `ci_high`; `clips/...` has the clips' values in case order; a text says where from."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise missing("tensorboard", "tensorboard") from None
    root = folder(asked, "tensorboard")
    for method in asked.methods:
        writer = EventFileWriter(str(root / safe_name(method)))

        def scalar(tag: str, value: float, step: int, to: EventFileWriter = writer) -> None:
            to.add_event(Event(step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)])))

        for row in asked.of(method):
            tag = f"{row['protocol']}/{name_of(row)}"
            scalar(tag, row["value"], asked.step)
            for end in ("ci_low", "ci_high"):
                if row[end] is not None:
                    scalar(f"{tag}/{end}", row[end], asked.step)
            for number, value in enumerate(asked.clips(row).values()):
                scalar(f"clips/{tag}", value, number)
        told = "\n".join(f"    {line}" for line in to_text(asked.facts(method)).splitlines())
        text = TensorProto(dtype="DT_STRING", string_val=[told.encode()])
        kind = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
        writer.add_event(Event(step=asked.step, summary=Summary(value=[Summary.Value(tag="record", tensor=text, metadata=kind)])))
        writer.close()
    return f"{root}: {len(asked.methods)} methods, {len(asked.rows)} numbers\nnext:   tensorboard --logdir {root}"
