"""A plugin distribution, made visible as pip would have done it: a copy of its package beside a dist-info with its entry points, on PYTHONPATH."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from pathlib import Path

import pytest

from tests.make import ROOT, Said, environment, hvbench, scores

PLUGIN = ROOT / "tests" / "plugin"


def install(target: Path, package: Path = PLUGIN) -> dict[str, str]:
    """What `pip install --target` leaves, without pip and without a network; the environment of a child that sees it."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shutil.copytree(package / "hvb_example_plugin", target / "hvb_example_plugin", ignore=shutil.ignore_patterns("__pycache__"))
    info = target / f"hvb_example_plugin-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8")
    (info / "RECORD").write_text("", encoding="utf-8")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in project["entry-points"].items()]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    env = environment()
    return {**env, "PYTHONPATH": os.pathsep.join([env["PYTHONPATH"], str(target)])}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "site").mkdir()
    return install(tmp_path / "site")


def said(told: Said, *words: str) -> None:
    assert told.code == 0, told.err
    for word in words:
        assert word in told.out, told.out


def test_a_run_of_the_plugins_own_suite_adapter_and_metric(env: dict[str, str], tmp_path: Path) -> None:
    """Levels 50 and 90, seven brighter: example-brighter is 7 and l1@unit 7 / 255 on both clips, in a worker process too."""
    words = ["run", "--suite", "example-levels", "--adapter", "example-brighten", "--metric", "example-brighter@mean"]
    said(hvbench(*words, "--out", "one", cwd=tmp_path, env=env), "example-levels/both : example-1", "7.000")
    (found,) = scores(tmp_path / "one")
    assert (found["adapter"], found["suite"], found["suite_version"], found["protocol"]) == (
        "example-brighten",
        "example-levels",
        4,
        "example-1",
    )
    assert (found["metric"], found["variant"], found["value"], found["unit"]) == ("example-brighter", "mean", 7.0, "grey levels")
    assert (found["n_clips"], found["n_frames"], found["ci_low"], found["ci_high"]) == (2, 10, 7.0, 7.0)

    # The defaults of its suite; two processes find the plugin each for itself; seeds 0 and 2 are 7 and 9 levels brighter.
    told = hvbench("run", "--suite", "example-levels", "--seeds", "0,2", "--workers", "2", "--out", "two", "--json", cwd=tmp_path, env=env)
    assert told.code == 0, told.err
    values = {f"{row['metric']}@{row['variant']}": row["value"] for row in json.loads(told.out)}
    assert values == {"example-brighter@mean": 8.0, "l1@unit": pytest.approx(8 / 255)}


def test_it_is_listed_and_explained(env: dict[str, str], tmp_path: Path) -> None:
    said(hvbench("ls", "metrics", cwd=tmp_path, env=env), "example-brighter@mean", "psnr@float")
    said(hvbench("ls", "suites", cwd=tmp_path, env=env), "example-levels", "tiktok")
    said(hvbench("ls", "adapters", cwd=tmp_path, env=env), "example-brighten", "7 levels brighter")
    said(
        hvbench("explain", "example-brighter@mean", cwd=tmp_path, env=env),
        "mean of generated minus truth",
        "example-1",
        "hvb-example-plugin",
    )
    said(hvbench("explain", "example-levels", cwd=tmp_path, env=env), "Grey clips")


def test_without_the_plugin_its_names_are_unknown(tmp_path: Path) -> None:
    told = hvbench("explain", "example-brighter@mean", cwd=tmp_path)
    assert told.code == 2
    assert "no such metric" in told.err


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("raise RuntimeError('half installed')", ["the plugin cannot be loaded", "RuntimeError: half installed"]),
        ("SPECS = ADAPTER = 'nothing'", ["does not provide a spec", "str"]),
        ("import suites.metrics.l1\nSPECS = suites.metrics.l1.SPEC\nADAPTER = ()", ["the name 'l1' is taken", "suites.metrics.l1"]),
    ],
    ids=["broken", "no-spec", "collision"],
)
def test_a_bad_plugin_is_named(env: dict[str, str], tmp_path: Path, damage: str, words: list[str]) -> None:
    (tmp_path / "site" / "hvb_example_plugin" / "__init__.py").write_text(damage, encoding="utf-8")
    told = hvbench("ls", "metrics", cwd=tmp_path, env=env)
    assert told.code == 2, told.err
    for word in [*words, "plugin hvb-example-plugin (hvb_example_plugin:"]:
        assert word in told.err, told.err
    assert "Traceback" not in told.err
