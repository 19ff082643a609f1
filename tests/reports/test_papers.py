"""The papers' numbers as they are shipped, and the loader that refuses what is not in order."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from benchmark.errors import InputError
from benchmark.registry import registry
from reports import _papers
from reports._papers import Paper, load, printed

COUNTS = {
    "alignhuman": (0, 0, 1),
    "fantasytalking2": (4, 136, 3),
    "humandiff": (3, 66, 1),
    "interacthuman": (2, 32, 0),
    "ipa": (5, 35, 0),
    "omnihuman": (4, 51, 0),
    "omnihuman-1-5": (3, 10, 0),
    "tiktok-cited": (2, 8, 0),
}
"""(tables, values, claims), counted by hand on the papers' tables: FantasyTalking2 5x8 + 9 + 9x8 + 15; HumANDiff 47 + 18 + 1."""
GOOD = """
id = "p"
title = "P"
[[table]]
id = "1"
columns = [{ name = "PSNR", direction = "up" }, { name = "FVD", direction = "down" }]
rows = [{ name = "a", values = ["20.0", "-"] }, { name = "b", values = ["21.0", ""], bold = ["PSNR"] }]
[[claim]]
kind = "gain"
table = "1"
row = "b"
column = "PSNR"
over = "a"
printed = "5.0"
"""


def everything() -> list[Paper]:
    return [_papers.find(name) for name in _papers.known()]


def test_every_paper_has_its_tables_and_values() -> None:
    found = {p.id: (len(p.table), sum(1 for t in p.table for c in t.columns for _ in t.cells(c)), len(p.claim)) for p in everything()}
    assert found == COUNTS
    assert [p.id for p in everything()] == list(_papers.known())


@pytest.mark.parametrize(
    ("paper", "table", "row", "values"),
    [
        ("fantasytalking2", "1", "MultiTalk", ".857 40.371 14.683 5.668 37.839 362.591 4.027 3.184"),
        ("fantasytalking2", "3", "r256", ".893 41.930 15.183 5.704 35.440 341.174 4.069 3.232"),
        ("fantasytalking2", "4", "OmniAvatar", "5.95 7.06 8.09"),
        ("humandiff", "1", "BDMM", ".9180 - .048 - 148.30 -"),
        ("humandiff", "1", "SVD-I2V", "- .8940 .095 - 175.4 -"),
        ("humandiff", "2", "+GMCL", ".0364 .906 .057 7.94 4.68 84.10"),
        ("ipa", "ablation, TikTok", "IPA without HALO", "7.9 288 .819 22.7"),
        ("omnihuman", "CyberHost", "DiffTED", "2.701 0.926 95.46 58.87 - 0.769"),
    ],
)
def test_values_are_as_printed(paper: str, table: str, row: str, values: str) -> None:
    """Typed from the papers: digits, missing leading zeros and trailing zeros included."""
    assert _papers.find(paper).find(table).row(row).values == tuple(values.split())


def test_what_is_not_published_is_not_there() -> None:
    """AlignHuman: no table. IPA: 10 entries on TikTok of which the sources name one; no row `with IPA, without HALO` on Hand Bench; no sweep."""
    ipa = _papers.find("ipa")
    assert [r.name for r in ipa.find("ablation, Hand Bench").rows] == ["IPA and HALO", "neither (VACE)"]
    assert ipa.find("main, TikTok").row("Wan-Animate").values == ("8.6", "316", "", "")
    assert ipa.find("main, TikTok").partial
    assert _papers.find("alignhuman").table == ()
    assert all(row.bold is None for p in everything() for t in p.table for row in t.rows)  # our sources do not say what is bold


def test_closed_methods_are_second_hand() -> None:
    closed = {"omnihuman", "omnihuman-1-5", "interacthuman", "tiktok-cited"}
    assert {p.id for p in everything() if p.table and all(t.second_hand for t in p.table)} == closed


def test_everything_that_is_named_exists() -> None:
    """Variants, protocols and suites of ours; and every column's direction is known."""
    for paper in everything():
        for table in paper.table:
            assert all(name in registry().protocols for name in table.follows)
            for name in table.suites:
                suite, _, split = name.partition("/")
                assert not split or split in [s.id for s in registry().suites[suite].item.splits]
            for column in table.columns:
                assert column.direction is not None
                for name in column.ours:
                    registry().variant(name)


def test_printed_numbers_keep_their_rounding() -> None:
    """4.10 is 4.095 .. 4.105; 100 is 99.5 .. 100.5."""
    number = printed("4.10")
    assert number is not None
    assert (number.value, number.low, number.high, number.decimals) == (Decimal("4.10"), Decimal("4.095"), Decimal("4.105"), 2)
    hundred = printed("100")
    assert hundred is not None
    assert (hundred.low, hundred.high) == (Decimal("99.5"), Decimal("100.5"))
    assert printed("-") is None
    assert printed("") is None


def test_a_good_file_loads(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert _papers.find(str(path)).table[0].rows[1].bold == ("PSNR",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "P"', 'title = "P"\ncolour = 1', "colour"),
        ('title = "P"', "", "title"),
        ('["20.0", "-"]', '["20.0"]', "row 'a': values"),
        ('["20.0", "-"]', '["20,0", "-"]', "row 'a': PSNR"),
        ('["20.0", "-"]', '["nan", "-"]', "row 'a': PSNR"),
        ('["20.0", "-"]', '[20.0, "-"]', "values[0]"),
        ('name = "b"', 'name = "a"', "table '1': rows"),
        ('name = "FVD"', 'name = "PSNR"', "table '1': columns"),
        ('direction = "up"', 'direction = "higher"', "direction"),
        ('bold = ["PSNR"]', 'bold = ["SSIM"]', "row 'b': bold"),
        ('kind = "gain"', 'kind = "brag"', "kind"),
        ('table = "1"', 'table = "2"', "claim[0]: table"),
        ('row = "b"', 'row = "c"', "claim[0]: row"),
        ('column = "PSNR"', 'column = "FVD"', "claim[0]: row"),
        ('column = "PSNR"', 'column = "SSIM"', "claim[0]: column"),
        ('over = "a"', 'over = "b"', "claim[0]: over"),
        ('printed = "5.0"', 'printed = "five"', "claim[0]: printed"),
        ("[[table]]", "[[table", "TOML"),
    ],
)
def test_a_bad_file_is_refused_by_file_and_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load(path)
    assert said in str(caught.value)
    assert "bad.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("head", "metric"),
    [("PSNR ↑", "psnr"), ("FID-VID↓", "fid-vid"), ("L1 E-04", "l1"), ("PSNR*", "psnr"), ("LSE-C (↑)", "sync-c"), ("Params", None)],
)
def test_a_head_names_its_metric(head: str, metric: str | None) -> None:
    found = _papers.metric_of(head)
    assert (found.id if found else None) == metric
