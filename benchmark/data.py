"""From TOML to the nouns: strict, so that a typo in a suite or protocol file is an error that names the key."""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from benchmark.errors import InputError
from benchmark.model import ProtocolSpec, Suite

T = TypeVar("T")


def load_toml(path: Path) -> dict[str, Any]:
    """The file as a mapping. Raises InputError (`toml`, `absent`) that names the file and, for a syntax error, the line."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise InputError("no such file", code="absent", path=path, hint=f"ls {path.parent}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("is not valid TOML", code="toml", path=path, found=str(error)) from None
    except OSError as error:
        raise InputError("cannot be read", code="unreadable", path=path, found=str(error)) from None


def load_suite(path: Path) -> Suite:
    """A suite file -> Suite."""
    return from_mapping(Suite, load_toml(path), where=str(path))


def load_protocol(path: Path) -> ProtocolSpec:
    """A protocol file -> ProtocolSpec; primary variants must be among the variants, at most 6."""
    protocol = from_mapping(ProtocolSpec, load_toml(path), where=str(path))
    stray = [name for name in protocol.primary if name not in protocol.variants]
    if stray or len(protocol.primary) > 6:
        raise InputError(
            "primary variants must be at most 6 of the protocol's variants",
            path=path,
            found=", ".join(protocol.primary),
            expected="a subset of variants",
        )
    return protocol


def from_mapping(cls: type[T], data: Mapping[str, Any], *, where: str) -> T:
    """Build the dataclass `cls` from plain data: nested dataclasses, tuples, Fractions (int, float or 'a/b'), literals.

    Raises InputError for an unknown key, a missing key or a value of the wrong type; `where` names the file (and table) in the message.
    """
    if not isinstance(data, Mapping):
        raise InputError(f"{where}: a table is expected", found=repr(data), expected=cls.__name__)
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]  # T is always a dataclass here
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise InputError(f"{where}: unknown key", code="unknown-key", found=", ".join(unknown), expected=", ".join(fields))
    missing = [
        name
        for name, f in fields.items()
        if name not in data and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise InputError(
            f"{where}: missing key", code="missing-key", found=", ".join(sorted(data)) or "nothing", expected=", ".join(missing)
        )
    return cls(**{name: _value(hints[name], value, f"{where}: {name}") for name, value in data.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _value(next(a for a in arguments if a is not type(None)), value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise InputError(f"{where}: not one of the known words", found=repr(value), expected=", ".join(map(str, arguments)))
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where}: a list is expected", found=repr(value))
        inner = arguments[0]
        return tuple(_value(inner, item, f"{where}[{i}]") for i, item in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return from_mapping(hint, value, where=where)  # type: ignore[arg-type]
    if hint is Fraction:
        return fraction(value, where)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and (not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)):
        raise InputError(f"{where}: wrong type", found=repr(value), expected=hint.__name__)
    return value


def fraction(value: object, where: str = "rate") -> Fraction:
    """30, 29.97, '30000/1001' -> a positive Fraction. A float is taken as the decimal it prints as."""
    try:
        result = Fraction(str(value)) if isinstance(value, float) else Fraction(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, ZeroDivisionError):
        raise InputError(f"{where}: not a rate", found=repr(value), expected="a positive number or a/b, frames per second") from None
    if result <= 0:
        raise InputError(f"{where}: not a rate", found=repr(value), expected="a positive number or a/b, frames per second")
    return result


def plain(value: Any) -> Any:
    """A dataclass, Fraction, Path, tuple ... as JSON data. Callables are left out: a record holds facts, not code."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value) if not callable(getattr(value, f.name))}
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def canonical(value: Any) -> str:
    """JSON text with sorted keys and no NaN: the same data, the same bytes."""
    return json.dumps(plain(value), sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
