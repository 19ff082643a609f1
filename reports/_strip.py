"""A record without the folders of the machine it was made on: paths are cut to names, everything else stays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NAMES = {"adapter", "case", "id", "name"}
"""Fields that hold names, whatever they look like."""
_PATH = re.compile(
    r"""(?<![\w./)\]}<>-])(?:file://)?(?:~?(?:/[^\s/'"`,;:()\[\]{}<>|*?]+){2,}/?|~/[^\s'"`,;:()\[\]{}<>|]+|[A-Za-z]:[\\/][^\s'"`,;:()\[\]{}<>|]+|\\\\[^\s'"`,;]+)"""
)
"""An absolute path of two parts or more inside a sentence; a slash that divides, closes a bracket or follows a word is none."""
_QUOTED = re.compile(r"""(?<!\w)(['"])((?:~?/|[A-Za-z]:[\\/]|\\\\)[^'"\n]*[/\\][^'"\n]*[^'"\s/\\][^'"\n]*)\1""")
"""One in quotation marks, as Python's own errors name files: with spaces in it or not."""
_WHOLE = re.compile(r"(?:file://)?(?:~?/|[A-Za-z]:[\\/]|\\\\)[^\n]*[^\s/\\][^\n]*")
"""A text that is nothing but an absolute path, with spaces in it or not."""


def last(path: str) -> str:
    """The name at the end of a path of any system."""
    return re.split(r"[/\\]+", path.rstrip("/\\"))[-1]


def _quoted(match: re.Match[str]) -> str:
    return f"{match[1]}{last(match[2])}{match[1]}"


class Strip:
    """Cuts paths in JSON data. known: absolute paths that may stand, spaces and all, inside sentences. cut: how many were."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = dict(sorted((known or {}).items(), key=lambda pair: -len(pair[0])))
        self.cut = 0

    def __call__(self, value: Any, field: str = "") -> Any:
        """The same data without paths. Applied twice it changes nothing more."""
        if isinstance(value, Mapping):
            if field == "inputs":
                return {self._text(path): digest for path, digest in value.items()}
            return {name: self(item, name) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self(item, field) for item in value]
        return self._text(value) if isinstance(value, str) and field not in NAMES else value

    def _text(self, text: str) -> str:
        if "/" not in text and "\\" not in text:
            return text
        found = self._known.get(text, text)
        if found == text:
            for path, name in self._known.items():
                found = found.replace(path, name)
            whole = _WHOLE.fullmatch(found) and ": " not in found
            found = last(found) if whole else _PATH.sub(lambda match: last(match.group()), _QUOTED.sub(_quoted, found))
        self.cut += found != text
        return found


def of_record(header: Mapping[str, Any], folder: str) -> Strip:
    """For a record that lies in `folder`: its inputs keep their last folder (`truth/0.mp4`), so that two of one name stay apart."""
    known: dict[str, str] = {}
    for path in header["inputs"]:
        if _WHOLE.fullmatch(path):
            parts = [part for part in re.split(r"[/\\]+", path) if part]
            name, number = "/".join(parts[-2:]), 1
            while name in known.values():
                number += 1
                name = f"{'/'.join(parts[-2:])}#{number}"
            known[path] = name
    asked = [item for value in header["request"].values() for item in (value.values() if isinstance(value, Mapping) else [value])]
    known |= {path: last(path) for path in (*asked, folder) if isinstance(path, str) and _WHOLE.fullmatch(path) and path not in known}
    return Strip(known)
