"""What can go wrong, in words a user can act on.

Two kinds leave this package: `InputError` (the user must change something, exit code 2) and `Unscored` (a number that honestly does not exist;
the run goes on).
"""

from __future__ import annotations

from pathlib import Path


class BenchmarkError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(BenchmarkError):
    """Input that cannot be used as it is.

    what: one sentence that says what is wrong. path: the file or folder at fault. found / expected: the two sides of the contradiction.
    hint: what to type or do next. All parts but `what` are optional; `str()` joins them into at most four lines. `code` is a stable
    lower-case word for records and tests (`truncated`, `fps-mismatch`, ...).
    """

    def __init__(
        self,
        what: str,
        *,
        code: str = "bad-input",
        path: Path | str | None = None,
        found: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.code = code
        self.path = None if path is None else str(path)
        self.found = found
        self.expected = expected
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.what}" if self.path else self.what]
        if self.found is not None:
            lines.append(f"  found:    {self.found}")
        if self.expected is not None:
            lines.append(f"  expected: {self.expected}")
        if self.hint is not None:
            lines.append(f"  try:      {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Survive the way back from a worker process with all parts."""
        return _rebuild, (self.what, self.code, self.path, self.found, self.expected, self.hint)

    def named(self, method: str) -> InputError:
        """The same error with NAME in its hint replaced by the method's name, so that the hint can be typed as it is."""
        hint = self.hint.replace("NAME", method) if self.hint else None
        return InputError(self.what, code=self.code, path=self.path, found=self.found, expected=self.expected, hint=hint)

    def to_json(self) -> dict[str, str]:
        """The parts that are set, for the journal."""
        parts = {"code": self.code, "what": self.what, "path": self.path, "found": self.found, "expected": self.expected, "hint": self.hint}
        return {key: value for key, value in parts.items() if value is not None}


def unreadable(path: Path | str, error: OSError, what: str = "cannot be read") -> InputError:
    """The InputError for a file or folder that the system does not let us read."""
    return InputError(
        what,
        code="unreadable",
        path=path,
        found=str(error),
        expected="a file that is there" if isinstance(error, FileNotFoundError) else "read permission",
        hint=f"ls -l {path}",
    )


def _rebuild(what: str, code: str, path: str | None, found: str | None, expected: str | None, hint: str | None) -> InputError:
    return InputError(what, code=code, path=path, found=found, expected=expected, hint=hint)


class Unscored(BenchmarkError):
    """A value that does not exist for a stated reason (`identical`, `no-truth`, `weights-missing`, ...). Never 0, never NaN."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason, detail)

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason
