"""The published hashes of the made suites: `hashes.toml`, written by `python docs/make_embedded.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).with_name("hashes.toml")


def expected(maker: str, version: int) -> Mapping[str, str]:
    """{case id: sha256 of its frames} of one maker's version; empty where nothing was published, so that everything differs."""
    from benchmark.data import load_toml

    table = load_toml(FILE).get(f"{maker}-{version}", {})
    return {str(name): str(digest) for name, digest in table.items()}
