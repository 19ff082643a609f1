"""Who may import whom, by the syntax tree of every file of the four packages; and what the quick commands load.

Expected: the rules of CONTRIBUTING.md, written down here as data.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.make import ROOT, environment, study

PACKAGES = ("benchmark", "suites", "adapters", "reports")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
HEAVY = {"torch", "pandas", "matplotlib", "cv2", "av", "skimage", "pyarrow", "torchvision", "scipy", "PIL"}
"""Loaded inside functions only, so that `--help` and `ls` stay quick."""
FORBIDDEN = {
    "benchmark": {"suites", "adapters", "reports", "tests"},
    "suites": {"adapters", "reports", "tests"},
    "adapters": {"suites", "reports", "tests"},
    "reports": {"suites", "adapters", "tests", "torch"},
}
REPORTS_MAY = {"record", "statistics", "registry", "errors", "data", "paths", "recount"}
"""Parts of `benchmark` that a report may read."""
TO_LOOK_AT = {"_page_clip.py": {"media", "mosaic"}, "_page_marks.py": {"features"}, "_study_clips.py": {"media"}}
"""Pages and studies show pictures: these files also read clips and stored features, to show them, never to score."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(module, line) of every import statement, inside functions and TYPE_CHECKING blocks too. `from a import b` gives `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def at_import_time(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported: not those of functions, nor of TYPE_CHECKING blocks."""
    for node in body:
        if typing_only(node):
            yield from at_import_time(node.orelse)  # type: ignore[attr-defined]
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            for inner in ("body", "orelse", "finalbody"):
                yield from at_import_time(getattr(node, inner, []))
            for handler in getattr(node, "handlers", []):
                yield from at_import_time(handler.body)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def test_the_walker_sees_what_it_must() -> None:
    """By hand: six imports, three of which run with the module."""
    tree = ast.parse(
        "import a.b\nfrom c import d\nif TYPE_CHECKING:\n    import e\ntry:\n    import f\nexcept ImportError:\n    import g\ndef h():\n    import i\n"
    )
    assert sorted(name for name, _ in imported(tree)) == ["a.b", "c.d", "e", "f", "g", "i"]
    running = [alias.name for node in at_import_time(tree.body) if isinstance(node, ast.Import) for alias in node.names]
    assert running == ["a.b", "f", "g"]
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_packages_import_only_what_they_may(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    wrong = [f"line {line}: {name}" for name, line in imported(parsed(path)) if name.partition(".")[0] in FORBIDDEN[package]]
    assert not wrong, wrong


@pytest.mark.parametrize("path", [p for p in FILES if p.relative_to(ROOT).parts[0] == "reports"], ids=name_of)
def test_reports_read_records_only(path: Path) -> None:
    wrong = []
    for name, line in imported(parsed(path)):
        head, *rest = name.split(".")
        if head == "benchmark" and (not rest or rest[0] not in REPORTS_MAY | TO_LOOK_AT.get(path.name, set())):
            wrong.append(f"line {line}: {name}")
    assert not wrong, wrong


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_heavy_is_imported_at_import_time(path: Path) -> None:
    wrong = []
    for node in at_import_time(parsed(path).body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            wrong += [f"line {node.lineno}: {name}" for name in names if name.partition(".")[0] in HEAVY]
    assert not wrong, wrong


def test_modules_are_imported_by_name_in_one_place_only() -> None:
    """The registry finds the built-ins; `benchmark/__init__.py` loads its own public names when they are first used."""
    users = {
        name_of(path)
        for path in FILES
        for node in ast.walk(parsed(path))
        if (isinstance(node, ast.Attribute) and node.attr == "import_module") or (isinstance(node, ast.Name) and node.id == "__import__")
    }
    assert users == {"benchmark/registry.py", "benchmark/__init__.py"}


def test_only_the_command_line_and_reports_print() -> None:
    talkers = {
        name_of(path)
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    quiet = {name for name in talkers if not name.startswith(("benchmark/commands/", "reports/")) and name != "benchmark/cli.py"}
    assert "benchmark/cli.py" in talkers
    assert not quiet


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_stay_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines < 400, f"{lines} lines: split the file by what it does"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run for `show`."""
    from benchmark.api import run

    made = study(tmp_path_factory.mktemp("quick"), methods=("a",), cases=("one",))
    run(suite="tiktok", truth=made.root / "truth", outputs={"a": made.root / "a"}, metrics=["l1@unit"], out=made.root / "run")
    return made.root / "run"


@pytest.mark.parametrize(
    "words", [["--help"], ["ls", "metrics"], ["ls", "suites"], ["explain", "psnr@float"], ["run", "--help"], ["show", "RUN"]]
)
def test_quick_commands_load_nothing_heavy(words: list[str], finished: Path, tmp_path: Path) -> None:
    """sys.modules after the command, told by the process itself on its last line."""
    words = [str(finished) if word == "RUN" else word for word in words]
    code = (
        "import sys\nfrom benchmark.cli import main\n"
        "try:\n    code = main(sys.argv[1:])\nexcept SystemExit as stop:\n    code = stop.code\n"
        "print('LOADED', code or 0, *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    label, exit_code, *loaded = done.stdout.splitlines()[-1].split()
    assert (label, exit_code) == ("LOADED", "0"), done.stderr
    assert {"benchmark", "suites", "adapters", "reports", "numpy"} <= set(loaded)
    assert not {"torch", "pandas", "matplotlib"} & set(loaded)


def test_importing_benchmark_alone_loads_no_sibling(tmp_path: Path) -> None:
    """Public names are loaded when first used."""
    code = (
        "import sys, benchmark; print(*sorted(sys.modules)); benchmark.statistics.t_quantile; print('benchmark.statistics' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert not {"suites", "adapters", "reports", "torch", "pandas"} & set(first.split())
    assert second == "True"
