"""Where a user's cache, configuration and data roots are. Environment first, then the configuration file, then the system's own places."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "human-video-benchmark"


def cache_dir() -> Path:
    """BENCHMARK_CACHE, or `cache` in the configuration, or the system's user cache (XDG_CACHE_HOME on Linux). Not created here."""
    named = os.environ.get("BENCHMARK_CACHE") or config().get("cache")
    if named:
        return Path(str(named)).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir(NAME, appauthor=False))


def config_file() -> Path:
    """BENCHMARK_CONFIG, or `config.toml` in the system's user configuration folder."""
    named = os.environ.get("BENCHMARK_CONFIG")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir(NAME, appauthor=False)) / "config.toml"


def config() -> Mapping[str, Any]:
    """The configuration file: `cache = "DIR"`, `weights = "DIR"`, `[data]` with one root a suite, `[checkpoints]` with what each generator loads, and
    `[repositories.NAME]` with what is known of a method's checkout. Empty when there is none."""
    path = config_file()
    if not path.is_file():
        return {}
    from benchmark.data import load_toml
    from benchmark.errors import InputError

    table = load_toml(path)
    expected = (
        'cache = "DIR", weights = "DIR", tables [data] of suite = "DIR" and [checkpoints] of adapter = "DIR", tables [repositories.NAME]'
    )
    for key, value in table.items():
        if key in ("data", "checkpoints"):
            good = isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        elif key == "repositories":
            good = isinstance(value, dict) and all(isinstance(v, dict) for v in value.values())
        else:
            good = isinstance(value, str)
        if key not in ("cache", "weights", "data", "checkpoints", "repositories") or not good:
            raise InputError(
                "the configuration is wrong", code="config", path=path, found=f"{key} = {value!r}", expected=expected, hint="edit the file"
            )
    return table


def data_root(suite: str) -> tuple[Path, str] | None:
    """(root, who named it) of a suite's real data, or None when nobody named one. BENCHMARK_DATA holds one folder a suite."""
    named = os.environ.get("BENCHMARK_DATA")
    if named:
        return Path(named).expanduser() / suite, f"BENCHMARK_DATA={named}"
    root = config().get("data", {}).get(suite)
    return (Path(root).expanduser(), str(config_file())) if root else None


def repository(name: str) -> Mapping[str, Any]:
    """What is known of a method's checkout: its table [repositories.NAME], else `path` below BENCHMARK_REPOSITORIES. Empty when nobody named one."""
    table: Mapping[str, Any] = config().get("repositories", {}).get(name, {})
    folder = os.environ.get("BENCHMARK_REPOSITORIES")
    if "path" not in table and folder and (Path(folder).expanduser() / name).is_dir():
        return {"path": str(Path(folder).expanduser() / name), **table}
    return table


def weights_folders(named: Path | None = None) -> list[Path]:
    """Folders searched for weight files, in order: the one named, BENCHMARK_WEIGHTS, the configuration's, the cache's own."""
    folders = [named] if named else []
    if os.environ.get("BENCHMARK_WEIGHTS"):
        folders.append(Path(os.environ["BENCHMARK_WEIGHTS"]).expanduser())
    if config().get("weights"):
        folders.append(Path(str(config()["weights"])).expanduser())
    return [*folders, cache_dir() / "weights"]


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write beside and move into place, flushed to the disk: the file is either the old one or the new one. Its folder is made."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
