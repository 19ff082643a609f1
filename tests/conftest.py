"""What every test shares: a cache and a configuration of its own, real footage and weights where a machine has them, and plugins that go away."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest_plugins = ("tests.deviations",)

ORIGIN = "a test"
NAMED = ("BENCHMARK_DATA", "BENCHMARK_WEIGHTS", "BENCHMARK_FOOTAGE")


@pytest.fixture(scope="session")
def machine_folders() -> dict[str, str]:
    """The variables that name this machine's data, as they were before any test hid them."""
    return {name: os.environ[name] for name in NAMED if os.environ.get(name)}


@pytest.fixture(scope="session", autouse=True)
def _session_places(tmp_path_factory: pytest.TempPathFactory, machine_folders: dict[str, str]) -> Iterator[None]:
    """Fixtures of wider scope than a test must not touch the user's cache either."""
    folder = tmp_path_factory.mktemp("session")
    with pytest.MonkeyPatch.context() as patch:
        _point(patch, folder)
        yield


@pytest.fixture(autouse=True)
def _places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache, configuration or data, or another test's."""
    _point(monkeypatch, tmp_path_factory.mktemp("places"))


def _point(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("BENCHMARK_CACHE", str(folder / "cache"))
    patch.setenv("BENCHMARK_CONFIG", str(folder / "config.toml"))
    patch.delenv("BENCHMARK_DATA", raising=False)
    for name in ("BENCHMARK_WEIGHTS", "BENCHMARK_CHECKPOINTS", "BENCHMARK_REPOSITORIES"):
        patch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def footage(machine_folders: dict[str, str]) -> Path:
    """The folder of real footage."""
    return _named("BENCHMARK_FOOTAGE", machine_folders)


@pytest.fixture(scope="session")
def weights_folder(machine_folders: dict[str, str]) -> Path:
    """The folder of published weights."""
    return _named("BENCHMARK_WEIGHTS", machine_folders)


def _named(variable: str, folders: dict[str, str]) -> Path:
    if variable not in folders:
        pytest.skip(f"{variable} is not set")
    folder = Path(folders[variable])
    if not folder.is_dir():
        pytest.fail(f"{variable} names {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session")
def _drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite `tiktok-embedded`, drawn once a session."""
    from benchmark.registry import registry

    maker = registry().makers["tiktok"].item
    folder = tmp_path_factory.mktemp("drawn") / f"{maker.id}-{maker.version}"
    maker.build(folder)
    return folder


@pytest.fixture
def drawn(_drawn: Path) -> Path:
    """Puts the drawn clips of `tiktok-embedded` into this test's cache and returns their folder."""
    suites = Path(os.environ["BENCHMARK_CACHE"]) / "suites"
    suites.mkdir(parents=True, exist_ok=True)
    (suites / _drawn.name).symlink_to(_drawn)
    return _drawn


@pytest.fixture
def register() -> Iterator[Callable[..., None]]:
    """register(SPEC, ...) adds specs to the registry of this process for one test."""
    from benchmark import loading
    from benchmark.registry import registry

    known = registry()

    def add(*items: object) -> None:
        for item in items:
            known.add(item, ORIGIN)

    yield add
    for table in (
        known.metrics,
        known.extractors,
        known.protocols,
        known.suites,
        known.makers,
        known.adapters,
        known.verbs,
        known.weights,
        known.workers,
    ):
        for name in [name for name, entry in table.items() if entry.origin == ORIGIN]:
            del table[name]  # type: ignore[attr-defined]
    loading.forget()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A parity test never skips: frozen numbers need nothing but the checkout."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and item.get_closest_marker("parity"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: a parity test must not skip ({call.excinfo.value if call.excinfo else 'marked'})"
