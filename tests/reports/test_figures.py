"""`report --figures`: which files are written, what stands in them, that the same record gives the same bytes, and that no name breaks them.

What a figure says is read from the texts and the marks of matplotlib's own objects; their numbers are those of the record, by hand where there are few.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmark.record import Record, load
from reports import _figures, _figures_curves, _figures_distributions, _figures_dots, _figures_scatter, _figures_sets, _plot_style
from reports._figures_data import Block, blocks, curves
from tests.benchmarks.large_record import write
from tests.make import call

pytest.importorskip("matplotlib")
Capture = pytest.CaptureFixture[str]
METHODS = ("plain", "$x_1^2$ & <b>", "_under", "a-very-long-name-of-a-method-that-goes-on-and-on", "動画\u202e\n")
FEW: dict[str, Sequence[str]] = {"strict-1": ("psnr@float", "ssim@gaussian", "l1@unit", "fvd@i3d16", "fid@clean")}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("figures") / "run"
    cases = ["one", "<i>$2$", "three/…", "four", "five"]
    return write(path, METHODS, cases, 12, protocols=FEW, failed=[("plain", "four")], rehearsed=["_under"]).path


def block(run: Path, metrics: Sequence[str] = (), clip: str | None = None) -> Block:
    return blocks(load(run), [], metrics, clip)[0]


def texts(figure: Any) -> str:
    import matplotlib.text

    return "\n".join(one.get_text() for one in figure.findobj(matplotlib.text.Text))


def test_files_and_bytes(run: Path, tmp_path: Path, capfd: Capture) -> None:
    """SVG parses as XML, PDF and PNG begin as they should; twice the same bytes; what is not drawn is said."""
    told = call(capfd, "report", "--figures", "--out", tmp_path / "a", run, "--only", "dots", "--only", "speed")
    assert (told.code, told.out) == (0, "")
    assert told.err.splitlines() == [
        *(f"written: {tmp_path / 'a' / 'run' / f'strict-1.dots.{form}'}" for form in ("svg", "pdf", "png")),
        f"not drawn: {run}: speed: the run has no profile.json (hvbench profile)",
    ]
    call(capfd, "report", "--figures", "--out", tmp_path / "b", run, "--only", "dots")
    for form, start in (("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")):
        first = (tmp_path / "a" / "run" / f"strict-1.dots.{form}").read_bytes()
        assert first.startswith(start)
        assert first == (tmp_path / "b" / "run" / f"strict-1.dots.{form}").read_bytes()
    ElementTree.parse(tmp_path / "a" / "run" / "strict-1.dots.svg")
    width, height = struct.unpack(">II", first[16:24])
    assert width > 600 < height + 300


def test_no_name_breaks_a_figure(run: Path) -> None:
    """Every kind is drawn; nothing is cut off: no text of it lies outside the sheet; names stand as they are, `$` and all."""
    with _plot_style.style():
        for name, draw in _figures.DRAWN.items():
            figure: Any = draw(block(run))
            assert not isinstance(figure, str), (name, figure)
            said = texts(figure)
            assert "$x_1^2$ & <b>" in said, name
            assert "\u202e" not in said, name
            assert "REHEARSAL, no result: a stand-in for the model made the clips of _under" in said.replace("\n", " "), name
            figure.draw_without_rendering()
            sheet = figure.bbox
            for one in [*figure.texts, *(axes.title for axes in figure.axes), *(axes._left_title for axes in figure.axes)]:
                if one.get_text().strip():
                    box = one.get_window_extent()
                    assert box.x0 >= sheet.x0 - 1, (name, one.get_text())
                    assert box.x1 <= sheet.x1 + 1, (name, one.get_text())


def test_a_method_looks_the_same_everywhere(run: Path) -> None:
    """The third of five is Okabe and Ito's green in every figure of the run."""
    green = _plot_style.COLOURS[2]
    assert block(run).look["_under"].color == green == "#009E73"
    assert len({(look.color, look.marker, str(look.dash)) for look in _plot_style.looks([str(k) for k in range(28)]).values()}) == 28
    assert _plot_style.names(["x" * 40 + "a" + "y" * 8, "x" * 40 + "b" + "y" * 8]).values() != {_plot_style.told("x" * 40 + "a" + "y" * 8)}


def test_dots_are_the_scores(run: Path) -> None:
    """Marks stand at the record's values, lines end at its intervals; a row of fewer clips is hollow and says how many; unscored says why."""
    of = block(run)
    with _plot_style.style():
        figure: Any = _figures_dots.draw(of)
    axes = figure.axes[0]
    scores = {row["adapter"]: row for row in of.record.scores if row["metric"] == "psnr"}
    marks = [line for line in axes.lines if line.get_marker() in _plot_style.MARKERS]
    assert [float(line.get_xdata()[0]) for line in marks] == [scores[m]["value"] for m in METHODS]
    ends = [segment for lines in axes.collections for segment in lines.get_segments()]
    assert [(e[0][0], e[1][0]) for e in ends] == [(scores[m]["ci_low"], scores[m]["ci_high"]) for m in METHODS]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [True, False, False, False, False]
    said = texts(figure)
    for words in (
        "psnr@float ↑",
        "dB, primary",
        "n 4",
        "5 clips",
        "unscored: fid@clean (weights-missing)",
        "not every clip was scored",
        "fvd@i3d16 ↓",
    ):
        assert words in said, words


def test_curves_of_a_clip(run: Path) -> None:
    """By hand: every frame of the record's table, the clip that was asked for, a method without it named. The mean of a curve is the clip's value."""
    of = block(run, clip="four")
    found = curves(of, "four")
    assert set(found) == {(m, n) for m in METHODS[1:] for n in ("psnr@float", "ssim@gaussian", "l1@unit")}
    frames, values = found["_under", "psnr@float"]
    assert frames.tolist() == list(range(12))
    assert float(values.mean()) == pytest.approx(of.record.clip_values("_under", "strict-1", "psnr@float")["four"], rel=1e-12)
    with _plot_style.style():
        figure: Any = _figures_curves.draw(of)
    assert "clip ‘four’: asked for" in texts(figure)
    assert "without values here: plain" in texts(figure)
    assert sum(len(axes.lines) for axes in figure.axes) == 3 * 4


def test_the_clip_on_which_methods_differ_most(tmp_path: Path) -> None:
    """By hand: two methods, one variant, gaps 1, 5, 2."""
    path = write(tmp_path / "run", ["a", "b"], ["x", "y", "z"], 4, protocols={"strict-1": ("psnr@float",)}).path
    values = {"a": {"x": 20.0, "y": 20.0, "z": 20.0}, "b": {"x": 21.0, "y": 25.0, "z": 18.0}}
    lines = [json.loads(line) for line in (path / "journal.jsonl").read_text().splitlines()]
    for line in lines:
        (view,) = line["values"]
        line["values"][view]["psnr@float"]["value"] = values[line["adapter"]][line["case"]]
    (path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = _figures_curves.farthest(block(path))
    assert found is not None
    assert found[0] == "y"
    assert "psnr@float 20.00 to 25.00" in found[1]


def test_every_clip_is_a_dot(run: Path, tmp_path: Path) -> None:
    """Five clips a row, four where one failed, joined; beyond 20 clips none is joined."""
    of = block(run)
    with _plot_style.style():
        figure: Any = _figures_distributions.draw(of)
        rows = [collection.get_offsets() for collection in figure.axes[0].collections if len(collection.get_offsets()) > 1]
        assert [len(row) for row in rows] == [4, 5, 5, 5, 5]
        assert sorted(rows[1][:, 0]) == sorted(of.clips(METHODS[1], "psnr@float").values())
        assert len(figure.axes[0].lines) == 5
        many = write(tmp_path / "many", ["a", "b"], 21, 2, protocols={"strict-1": ("psnr@float",)}).path
        crowd: Any = _figures_distributions.draw(block(many))
    assert not crowd.axes[0].lines
    assert "the same clip" not in texts(crowd)


def test_sets_against_clips(run: Path) -> None:
    """The line goes through the stored limit at 1/n = 0 and is the least-squares line of the stored means (numpy.polyfit)."""
    of = block(run)
    with _plot_style.style():
        figure: Any = _figures_sets.draw(of)
        dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
        items = {item["adapter"]: item["bias"] for item in of.record.replicates}
        assert len(dashed) == len(items) == 4
        for line, method in zip(dashed, [m for m in METHODS if m in items], strict=True):
            bias = items[method]
            slope, limit = np.polyfit(1 / np.array(bias["sizes"]), bias["means"], 1)
            assert line.get_ydata()[0] == pytest.approx(limit, rel=1e-9)
            assert np.diff(line.get_ydata())[0] / np.diff(line.get_xdata())[0] == pytest.approx(slope, rel=1e-9)
        assert "∞" in texts(figure)
        assert _figures_sets.draw(block(run, ["psnr"])) == "no metric of a whole set is scored"


def test_set_metrics_of_too_few_clips_draw_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "run", ["a", "b"], 3, 2, protocols=FEW).path
    assert _figures_sets.draw(block(path)) == "its set metrics have too few clips to be tried at several sizes"


def test_scatter_says_spearman(run: Path) -> None:
    """scipy.stats.spearmanr over the same points."""
    stats = pytest.importorskip("scipy.stats")
    of = block(run, ["psnr", "ssim"])
    with _plot_style.style():
        figure: Any = _figures_scatter.draw(of)
        assert _figures_scatter.draw(block(run, ["psnr"])) == "fewer than two variants have a value by clip"
    points = [(of.clips(m, "psnr@float")[c], v) for m in METHODS for c, v in of.clips(m, "ssim@gaussian").items()]
    assert len(points) == 24
    rho = stats.spearmanr(points).statistic
    assert figure.axes[0].get_title("left").startswith(f"ρ {rho:.2f} [".replace("-", "−"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--protocol", "none-1"], "no such protocol"),
        (["--metric", "none"], "no such metric"),
        (["--clip", "none"], "no such clip"),
        (["--paper", "ipa"], "--paper is a table of its own"),
    ],
)
def test_wrong_names(words: list[str], said: str, run: Path, tmp_path: Path, capfd: Capture) -> None:
    told = call(capfd, "report", "--figures", "--out", tmp_path / "x", run, *words)
    assert told.code == 2
    assert said in told.err
    assert not (tmp_path / "x").exists()


def test_options_belong_to_figures(run: Path, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--clip goes with --figures" in call(capfd, "report", "--protocols", run, "--clip", "one").err
    assert "--figures needs a RUN" in call(capfd, "report", "--figures", "--out", tmp_path / "x").err
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    assert "human-video-benchmark[report]" in call(capfd, "report", "--figures", "--out", tmp_path / "x", run).err


def test_two_runs_of_one_name(run: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run, tmp_path / "Run")
    assert _figures.folders([load(run), load(other), Record(Path("/"), {})]) == ["run", "Run-2", "run-3"]


def test_titles_do_not_touch(tmp_path: Path) -> None:
    """Ten panels, among them the longest variants there are: no title reaches another or the edge."""
    path = write(tmp_path / "run", METHODS, 3, 4).path
    with _plot_style.style():
        for name in ("dots", "distributions"):
            figure: Any = _figures.DRAWN[name](block(path))
            figure.draw_without_rendering()
            boxes = [axes._left_title.get_window_extent() for axes in figure.axes]
            assert len(boxes) >= 10
            assert all(box.x1 <= figure.bbox.x1 for box in boxes)
            assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[k + 1 :])


def test_a_clip_of_one_frame_has_a_dot(tmp_path: Path) -> None:
    """A line through one point is nothing to see: each of two methods has a marker at frame 0."""
    path = write(tmp_path / "run", ["a", "b"], ["x"], 1, protocols={"strict-1": ("psnr@float",)}).path
    with _plot_style.style():
        figure: Any = _figures_curves.draw(block(path))
    dots = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in dots] == [[0], [0]]
