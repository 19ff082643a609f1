"""A user's own table, from CSV or LaTeX. The files are written here by hand, in the ways papers write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import InputError
from reports._lint import lint
from reports._papers import PaperTable
from reports._read_tables import plain, read
from reports._table import Cell, Table

LATEX = r"""
\begin{table}[t] % a comment with & and \\
\caption{Ours.}
\begin{tabular}{@{}l|cc>{\bfseries}c@{}}
\toprule
\multirow{2}{*}{Method} & \multicolumn{2}{c}{Frames} & Video \\ \cmidrule(lr){2-3}
 & PSNR$\uparrow$ & \textbf{SSIM} ($\uparrow$) & FVD $\downarrow$ \\
\midrule
A\_one~\cite{a,b} & 20.10 & .749$_{\pm .01}$ & 253.65 \\[2pt]
\rowcolor{gray!10} \textbf{B} \& co & \textbf{23.80} & {\bf .841} & 1,255.0 \\
C 100\% & \underline{22.5} & -- & \textcolor{red}{240.1} \\ \hline
\makecell{D\\two} & 19.0 & .701 & N/A \\
\bottomrule
\end{tabular}
\end{table}
"""
CSV = "method,PSNR,SSIM ↑,Sync-D,seconds\none,20.5,0.80,8.1,3\ntwo,**21.5**,0.81 ± 0.02,-,\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def rows(table: PaperTable) -> dict[str, tuple[str, ...]]:
    return {row.name: row.values for row in table.rows}


def test_latex(tmp_path: Path) -> None:
    (table,) = read(write(tmp_path / "t.tex", LATEX)).table
    assert [(c.name, c.direction) for c in table.columns] == [("Frames PSNR↑", "up"), ("Frames SSIM (↑)", "up"), ("Video FVD ↓", "down")]
    assert rows(table) == {
        "A_one": ("20.10", ".749", "253.65"),
        "B & co": ("23.80", ".841", "1255.0"),
        "C 100%": ("22.5", "-", "240.1"),
        "D two": ("19.0", ".701", "-"),
    }
    assert table.row("B & co").bold == ("Frames PSNR↑", "Frames SSIM (↑)")
    assert table.row("C 100%").bold == ()


def test_latex_bold_that_is_not_the_best_is_found(tmp_path: Path) -> None:
    """23.80 bold and best; 24.10 for A: bold and beaten."""
    assert lint(read(write(tmp_path / "t.tex", LATEX))) == []
    (found,) = lint(read(write(tmp_path / "t.tex", LATEX.replace("20.10", "24.10"))))
    assert (found.rule, found.row, found.arithmetic) == ("bold-not-best", "B & co", "23.80 against 24.10; higher is better")


def test_several_tables_are_one_paper(tmp_path: Path) -> None:
    """The ablation's last row is the main table's, SSIM and LPIPS swapped."""
    one = r"\begin{tabular}{lccc}\hline M & SSIM & LPIPS & FVD \\ \hline Ours & .9061 & .0571 & 84.10 \\ X & .8000 & .1000 & 99.00 \\ \hline\end{tabular}"
    two = r"\begin{tabular}{lccc}\hline M & SSIM & LPIPS & FVD \\ \hline full & .0571 & .9061 & 84.10 \\ \hline\end{tabular}"
    (found,) = lint(read(write(tmp_path / "t.tex", one + two)))
    assert (found.rule, found.table, found.column) == ("columns-swapped", "2", "SSIM, LPIPS")


def test_nested_and_starred(tmp_path: Path) -> None:
    text = r"\begin{tabular*}{\textwidth}{lc} M & \begin{tabular}[c]{@{}c@{}}PSNR\\(dB)\end{tabular} \\ \midrule a & 20.5 \end{tabular*}"
    (table,) = read(write(tmp_path / "t.tex", text)).table
    assert [(c.name, c.direction) for c in table.columns] == [("PSNR (dB)", "up")]
    assert rows(table) == {"a": ("20.5",)}


def test_csv(tmp_path: Path) -> None:
    """Directions from the arrow and from known names; none for `seconds`."""
    paper = read(write(tmp_path / "t.csv", CSV), clips=10, frames=5)
    (table,) = paper.table
    assert [(c.name, c.direction) for c in table.columns] == [("PSNR", "up"), ("SSIM ↑", "up"), ("Sync-D", "down"), ("seconds", None)]
    assert rows(table) == {"one": ("20.5", "0.80", "8.1", "3"), "two": ("21.5", "0.81", "-", "-")}
    assert table.row("two").bold == ("PSNR",)
    assert (table.clips, table.frames) == (10, 5)


@pytest.mark.parametrize(("separator", "suffix"), [(";", "csv"), ("\t", "csv"), ("\t", "tsv")])
def test_other_separators(tmp_path: Path, separator: str, suffix: str) -> None:
    (table,) = read(write(tmp_path / f"t.{suffix}", f"﻿m{separator}PSNR\n\none{separator}20.5\n")).table
    assert rows(table) == {"one": ("20.5",)}


def test_names_that_come_twice_stay_apart(tmp_path: Path) -> None:
    (table,) = read(write(tmp_path / "t.csv", "m,PSNR,PSNR\na,1.5,2.5\na,3.5,4.5\n,5.5,6.5\n")).table
    assert [c.name for c in table.columns] == ["PSNR", "PSNR (2)"]
    assert [r.name for r in table.rows] == ["a", "a (2)", "row 3"]


@pytest.mark.parametrize("form", ["csv", "latex"])
def test_our_own_tables_read_back(tmp_path: Path, form: str) -> None:
    cells = [[Cell("a_b & c"), Cell("20.50", 1, "", 20.5)], [Cell("d"), Cell("19.25", 2, "[a]", 19.25)], [Cell("e"), Cell("-", note="[b]")]]
    text = Table("t", ["method", "psnr ↑"], cells, ["[a] x"]).render(form)
    (table,) = read(write(tmp_path / ("t.csv" if form == "csv" else "t.tex"), text)).table
    assert {name: [float(v) for v in values] for name, values in rows(table).items()} == {"a_b & c": [20.5], "d": [19.25]}
    assert table.columns[0].direction == "up"
    assert [row.bold for row in table.rows] == ([None, None] if form == "csv" else [("psnr ↑",), ()])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", None, "no such file"),
        ("a.csv", b"", "no table of numbers"),
        ("a.csv", b"method,note\na,good\n", "no table of numbers"),
        ("a.csv", b"\xff\xfe\x00", "not UTF-8"),
        ("a.tex", b"no table here 1.5", "tabular"),
        ("a.tex", b"\\begin{tabular}{l", "tabular"),
        ("a.md", b"| a |", "no kind of table"),
        ("a.toml", b"id = ", "TOML"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(tmp_path / name)
    assert said in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "text", "bold"),
    [
        (r"\textbf{1.5}", "1.5", True),
        (r"$\mathbf{1.5}$", "1.5", True),
        ("**1.5**", "1.5", True),
        (r"\underline{1.5}\textsuperscript{{[}a{]}}", "1.5", False),
        (r"a\textbackslash{}b\_c\{\}", "a\\b_c{}", False),
        (r"$1.5 \pm 0.1$", "1.5 ± 0.1", False),
    ],
)
def test_markup_is_taken_off(cell: str, text: str, bold: bool) -> None:
    assert plain(cell) == (text, bold)
