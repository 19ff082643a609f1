"""Licences that a user must have accepted before something runs: kept beside the configuration, one line a name."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from benchmark import paths
from benchmark.errors import InputError


def file() -> Path:
    """`licences.json` in the folder of the user's configuration file."""
    return paths.config_file().parent / "licences.json"


def accepted(name: str, terms: str) -> bool:
    """True when these very terms were accepted; other words under the same name must be accepted anew."""
    return bool(_table().get(name, {}).get("sha256") == _digest(terms))


def accept(name: str, terms: str) -> None:
    """Remember that the terms of that name are accepted."""
    entry = {"sha256": _digest(terms), "accepted": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    paths.write_atomic(file(), json.dumps({**_table(), name: entry}, indent=1, sort_keys=True))


def _digest(terms: str) -> str:
    return hashlib.sha256(" ".join(terms.split()).encode()).hexdigest()


def _table() -> dict[str, Any]:
    if not file().exists():
        return {}
    try:
        return dict(json.loads(file().read_text(encoding="utf-8")))
    except ValueError as error:
        raise InputError(
            "the list of accepted licences is damaged", code="config", path=file(), found=str(error), hint="delete it"
        ) from None
