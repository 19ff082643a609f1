"""Hugging Face model-index metadata for a model card: YAML that huggingface_hub reads.

Source of the format: huggingface_hub, repocard_data.py (model_index_to_eval_results); the same fields as the hub's model card specification.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from benchmark.errors import InputError
from benchmark.paths import write_atomic
from reports._escape import encodable
from reports._export_rows import Asked, other_code
from reports._rows import name_of


def model_index(asked: Asked) -> list[dict[str, Any]]:
    """The value of `model-index`: one model a method, one result a protocol, one metric a number.

    A protocol is the data set's config: two numbers of one metric under two protocols are two results, as they must be.
    """
    header = asked.record.header
    title = {protocol["id"]: str(protocol.get("title", "")) for protocol in header["protocols"]}
    models = []
    for method in asked.methods:
        results = []
        for protocol in dict.fromkeys(row["protocol"] for row in asked.of(method)):
            result: dict[str, Any] = {
                "task": {"type": asked.task, "name": asked.task.replace("-", " ").capitalize()},
                "dataset": {
                    "name": f"{header['suite']['title']} ({asked.title}, {protocol})",
                    "type": f"human-video-benchmark/{header['suite']['id']}",
                    "config": protocol,
                    "split": header["split"]["id"],
                    "args": {
                        "suite_version": header["suite"]["version"],
                        "protocol_title": title[protocol],
                        "clips": len(header["spec"]["cases"]),
                        **({"note": header["suite"]["banner"]} if header["suite"]["banner"] else {}),
                    },
                },
                "metrics": [_metric(asked, row) for row in asked.of(method) if row["protocol"] == protocol],
            }
            if asked.source:
                result["source"] = {"name": "human-video-benchmark record", "url": asked.source}
            results.append(result)
        models.append({"name": method, "results": results})
    return models


def _metric(asked: Asked, row: Mapping[str, Any]) -> dict[str, Any]:
    header = asked.record.header
    facts = header["metrics"].get(name_of(row), {})
    interval = (
        {}
        if row["ci_low"] is None
        else {"interval": [row["ci_low"], row["ci_high"]], "interval_method": f"{row['ci_method']}, nominal 95 %"}
    )
    return {
        "type": row["metric"],
        "name": f"{facts.get('title', row['metric'])} ({name_of(row)}, {row['protocol']})",
        "value": row["value"],
        "args": {
            "protocol": row["protocol"],
            "variant": name_of(row),
            "unit": row["unit"],
            "higher_is_better": row["higher_is_better"],
            "clips": row["n_clips"],
            "clips_failed": row["n_failed"],
            **interval,
            "weights": row["weights"],
            "flags": list(row["flags"]),
            "source": facts.get("source", ""),
            "record": header["spec_sha256"],
            "revision": (header["git"]["revision"] or "unknown") + (" with changes" if header["git"]["dirty"] else ""),
            **({"units_of_other_code": before} if (before := other_code(header["git"])) else {}),
        },
    }


def to_yaml(value: Any, indent: int = 0) -> str:
    """Block YAML of plain data. Texts are quoted as JSON, so that nothing in them is read as anything else."""
    space = " " * indent
    if isinstance(value, Mapping) and value:
        return "\n".join(f"{space}{_key(key)}:{_under(item, indent)}" for key, item in value.items())
    if isinstance(value, list) and value:
        return "\n".join(f"{space}-{_item(item, indent)}" for item in value)
    return space + _scalar(value)


def _under(item: Any, indent: int) -> str:
    return "\n" + to_yaml(item, indent + 2) if isinstance(item, dict | list) and item else f" {_scalar(item)}"


def _item(item: Any, indent: int) -> str:
    """The first line of a block stands beside its dash."""
    return to_yaml(item, indent + 2)[indent + 1 :] if isinstance(item, dict | list) and item else f" {_scalar(item)}"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", key) else _scalar(key)


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        text = repr(value)
        # YAML 1.1 takes 1e-05 for a text: a number has a point.
        return text if "." in text else text.replace("e", ".0e")
    if isinstance(value, str):
        # DEL, C1 and the like are no YAML, escaped they are.
        told = json.dumps(encodable(value), ensure_ascii=False)
        return re.sub("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]", lambda match: f"\\u{ord(match.group()):04x}", told)
    return json.dumps(value, allow_nan=False)


def export(asked: Asked) -> str:
    """To the file `--to`, or printed."""
    text = "model-index:\n" + to_yaml(model_index(asked), 2) + "\n"
    if asked.to is None:
        return text.rstrip("\n")
    if asked.to.is_dir():
        raise InputError("--to is a file here", code="usage", path=asked.to, expected="a file's name, as card.yaml")
    write_atomic(asked.to, text)
    return f"{asked.to}: {len(asked.methods)} models, {len(asked.rows)} numbers; put it between the --- lines at the top of a model card"
