"""The linter on what papers print: the exact findings, each gone when its error is repaired, each found again when planted in another table.

Expected numbers are worked out by hand beside each case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from reports import _papers
from reports._lint import Finding, lint
from reports._papers import Claim, Column, Direction, Paper, PaperTable, Row

SHIPPED = [
    ("error", "gain", "fantasytalking2", "4", "Ours", "LS"),
    ("error", "gain", "fantasytalking2", "4", "Ours", "MN"),
    ("error", "gain-strongest", "fantasytalking2", "4", "Ours", "VQ"),
    ("error", "columns-swapped", "humandiff", "2", "+GMCL", "FVD, FID-VID"),
    ("error", "wrong-column", "humandiff", "1", "BDMM", "L1"),
    ("error", "repeated-value", "humandiff", "1", "PIDM, DreamPose*", "FVD"),
    ("error", "leads", "humandiff", "1", "Ours", "L1"),
    ("error", "leads", "humandiff", "1", "Ours", "LPIPS"),
    ("warning", "few-clips", "humandiff", "1", "", "FVD"),
    ("warning", "few-clips", "humandiff", "1", "", "FID-VID"),
    ("warning", "few-clips", "humandiff", "2", "", "FVD"),
    ("warning", "few-clips", "humandiff", "2", "", "FID-VID"),
    ("warning", "few-clips", "ipa", "main, TikTok", "", "FID-VID"),
    ("warning", "few-clips", "ipa", "main, TikTok", "", "FVD"),
    ("warning", "few-clips", "ipa", "main, Hand Bench", "", "FID-VID"),
    ("warning", "few-clips", "ipa", "ablation, TikTok", "", "FID-VID"),
    ("warning", "few-clips", "ipa", "ablation, TikTok", "", "FVD"),
    ("warning", "few-clips", "ipa", "ablation, Hand Bench", "", "FID-VID"),
    ("warning", "few-clips", "ipa", "ablation, Hand Bench", "", "FVD"),
    ("warning", "psnr-overflow", "tiktok-cited", "PSNR", "MRAA, MagicAnimate, AnimateAnyone, Champ, DreamDance", "PSNR"),
    ("warning", "few-clips", "tiktok-cited", "FVD", "", "FVD"),
]
"""Severity, rule, paper, table, row, column. AlignHuman's 100 / 30 = 3.33 printed 3.3, OmniHuman and InterActHuman: nothing."""


def named(found: Sequence[Finding], rule: str) -> list[Finding]:
    return [f for f in found if f.rule == rule]


def only(found: Sequence[Finding], rule: str) -> Finding:
    (hit,) = named(found, rule)
    return hit


def changed(paper: Paper, table: str, row: str, **values: str) -> Paper:
    """The paper with other values in one row. Names of columns with `_` for `-`."""
    old = paper.find(table)
    heads = [c.name for c in old.columns]
    mine = list(old.row(row).values)
    for name, value in values.items():
        mine[heads.index(name.replace("_", "-"))] = value
    rows = tuple(replace(r, values=tuple(mine)) if r.name == row else r for r in old.rows)
    return replace(paper, table=tuple(replace(t, rows=rows) if t is old else t for t in paper.table))


def grid(text: str, ident: str = "1", **more: object) -> PaperTable:
    """`head^ head_` with arrows, then a row a line: name and values."""
    head, *lines = [line.split() for line in text.strip().splitlines()]
    ways: dict[str, Direction] = {"^": "up", "_": "down"}
    columns = tuple(Column(word.rstrip("^_"), ways.get(word[-1])) for word in head)
    rows = tuple(Row(name, tuple(values)) for name, *values in lines)
    return replace(PaperTable(ident, columns, rows), **more)  # type: ignore[arg-type]


def paper(*tables: PaperTable, claims: Sequence[Claim] = ()) -> Paper:
    return Paper("mine", "Mine", table=tables, claim=tuple(claims), file="mine.csv")


CLEAN = """
  L1_    SSIM^  LPIPS_ FID_   FVD_
a .0857  .749   .212   23.42  253.65
b .0612  .781   .205   22.87  247.55
c .1098  .713   .288   30.28  238.71
d .0412  .812   .111   18.03  279.60
e .0364  .906   .057   7.94   84.10
"""


def test_the_shipped_papers_have_exactly_these_findings() -> None:
    found = [f for name in _papers.known() for f in lint(_papers.find(name))]
    assert [(f.severity, f.rule, f.file.removesuffix(".toml"), f.table, f.row, f.column) for f in found] == SHIPPED


def test_their_arithmetic() -> None:
    """7.96/7.14 = 1.115; 7.96/7.06 = 1.127; 8.14/6.81 = 1.195; 8.42/7.40 = 1.138; 8.42/8.09 = 1.041; .9180/.1919 = 4.8; 20 log10(255/sqrt 105.5) = 27.90."""
    talking, walking = lint(_papers.find("fantasytalking2")), lint(_papers.find("humandiff"))
    lips, motion = named(talking, "gain")
    assert "+11.5 %" in lips.what
    assert "+12.7 % is the gain over OmniAvatar (7.06)" in lips.arithmetic
    assert "+19.5 %" in motion.what
    quality = only(talking, "gain-strongest")
    assert "OmniAvatar is" in quality.what
    assert "+4.1 %" in quality.what
    assert "+13.8 %" in quality.arithmetic
    assert "FVD 131.30 / 117.68 / 84.10; FID-VID 12.03 / 10.00 / 4.68" in only(walking, "columns-swapped").arithmetic
    assert "4.8 times" in only(walking, "wrong-column").arithmetic
    assert "belongs in SSIM" in only(walking, "wrong-column").what
    assert [f.arithmetic for f in named(walking, "leads")] == ["DreamPose* .0256 < .0364", "BDMM .048 < .057"]
    assert "238.75 twice" in only(walking, "repeated-value").arithmetic
    cited = only(lint(_papers.find("tiktok-cited")), "psnr-overflow")
    assert "29.16 to 29.90 dB" in cited.arithmetic
    assert "105.5 whatever the error: 27.90 dB" in cited.arithmetic


REPAIRS: dict[str, tuple[str, str, Callable[[Paper], Paper], int]] = {
    "swap": (
        "humandiff",
        "columns-swapped",
        lambda p: changed(
            changed(changed(p, "2", "+GMCL", FVD="84.10", FID_VID="4.68"), "2", "+JAML", FVD="117.68", FID_VID="10.00"),
            "2",
            "Base+ANS",
            FVD="131.30",
            FID_VID="12.03",
        ),
        0,
    ),
    "column": ("humandiff", "wrong-column", lambda p: changed(p, "1", "BDMM", L1="-", SSIM=".9180"), 0),
    "copy": ("humandiff", "repeated-value", lambda p: changed(p, "1", "PIDM", FVD="231.75"), 0),
    "leads L1": ("humandiff", "leads", lambda p: changed(p, "1", "DreamPose*", L1=".0456"), 1),
    "leads": ("humandiff", "leads", lambda p: replace(p, claim=(replace(p.claim[0], columns=("SSIM", "FID", "FVD", "FID-VID")),)), 0),
    "gain": (
        "fantasytalking2",
        "gain",
        lambda p: replace(p, claim=(replace(p.claim[0], printed="11.5"), replace(p.claim[1], printed="19.5"), p.claim[2])),
        0,
    ),
    "baseline": ("fantasytalking2", "gain", lambda p: replace(p, claim=(replace(p.claim[0], over="OmniAvatar", strongest=False),)), 0),
    "strongest": (
        "fantasytalking2",
        "gain-strongest",
        lambda p: replace(p, claim=(*p.claim[:2], replace(p.claim[2], over="OmniAvatar", printed="4.1"))),
        0,
    ),
    "clips": ("humandiff", "few-clips", lambda p: replace(p, table=tuple(replace(t, clips=3000) for t in p.table)), 0),
    "overflow": ("tiktok-cited", "psnr-overflow", lambda p: changed(p, "PSNR", "Champ", PSNR="18.84"), 0),
}


@pytest.mark.parametrize("name", REPAIRS)
def test_repaired_it_is_gone_and_nothing_else_changes(name: str) -> None:
    ident, rule, repair, left = REPAIRS[name]
    before = _papers.find(ident)
    after = lint(repair(before))
    assert len(named(after, rule)) == left < len(named(lint(before), rule))
    others = [f.rule for f in lint(before) if f.rule != rule]
    if name == "column":  # where it belongs, .9180 > .906 is ahead of the row that is said to lead
        others.insert(others.index("leads"), "leads")
    if name != "baseline":  # which drops the other claims
        assert [f.rule for f in after if f.rule != rule] == others


def test_a_clean_table_raises_nothing() -> None:
    claims = [
        Claim("leads", table="1", row="e"),
        Claim("gain", table="1", row="e", column="SSIM", over="d", strongest=True, printed="11.6"),
        Claim("gain", table="1", row="e", column="FVD", over="c", strongest=True, printed="64.8"),
        Claim("ratio", a="100", b="30", printed="3.3"),
    ]
    assert lint(paper(grid(CLEAN, clips=5000, frames=49), claims=claims)) == []


# --------------------------------------------------------------------------------- the same kinds of error, planted elsewhere


def test_planted_swap() -> None:
    """Row e of table 1 as `full` in an ablation whose LPIPS and SSIM changed places."""
    other = grid("L1_ SSIM^ LPIPS_ FID_\nbase .0500 .111 .850 12.00\nfull .0364 .057 .906 7.94", "2")
    hit = only(lint(paper(grid(CLEAN), other)), "columns-swapped")
    assert (hit.table, hit.row, hit.column) == ("2", "full", "SSIM, LPIPS")
    mended = grid("L1_ SSIM^ LPIPS_ FID_\nbase .0500 .850 .111 12.00\nfull .0364 .906 .057 7.94", "2")
    assert lint(paper(grid(CLEAN), mended)) == []


def test_planted_rotation_of_three_columns() -> None:
    other = grid("L1_ SSIM^ LPIPS_ FID_ FVD_\nfull .0364 .906 7.94 84.10 .057", "2")
    assert only(lint(paper(grid(CLEAN), other)), "columns-swapped").column == "LPIPS, FID, FVD"


def test_planted_wrong_column() -> None:
    """An FVD of 262.3 in the FID column (others at most 30.28), where the row's FVD is empty."""
    text = CLEAN.replace("b .0612  .781   .205   22.87  247.55", "b .0612  .781   .205   262.3  -")
    hit = only(lint(paper(grid(text))), "wrong-column")
    assert (hit.row, hit.column) == ("b", "FID")
    assert "belongs in FVD" in hit.what
    assert named(lint(paper(grid(CLEAN.replace("22.87  247.55", "262.3  247.55")))), "wrong-column") == []  # FVD is there: just a bad FID


def test_planted_copy_and_honest_ties() -> None:
    """253.65 in two rows: found. .212 in two rows: three digits tie by chance. Equal rows throughout: the same method twice."""
    assert only(lint(paper(grid(CLEAN.replace("238.71", "253.65")))), "repeated-value").row == "a, c"
    assert lint(paper(grid(CLEAN.replace(".205", ".212")))) == []
    assert lint(paper(grid(CLEAN + "a2 .0857 .749 .212 23.42 253.65"))) == []


def test_planted_claims() -> None:
    """.906/.812 = 1.116 and 279.60 -> 84.10 is 69.9 % less. a leads nowhere. 81/16 = 5.0625."""
    table = grid(CLEAN)
    wrong = Claim("gain", table="1", row="e", column="FVD", over="d", strongest=True, printed="69.9")
    found = lint(paper(table, claims=[wrong]))
    assert [f.rule for f in found] == ["gain-strongest"]
    assert "c is" in found[0].what
    assert [f.rule for f in lint(paper(table, claims=[replace(wrong, printed="75.0", strongest=False)]))] == ["gain"]
    assert [f.column for f in lint(paper(table, claims=[Claim("leads", table="1", row="d", columns=("SSIM", "FVD"))]))] == ["SSIM", "FVD"]
    assert lint(paper(claims=[Claim("ratio", a="81", b="16", printed="5.1")])) == []
    assert "5.06" in only(lint(paper(claims=[Claim("ratio", a="81", b="16", printed="5.2")])), "ratio").arithmetic


@pytest.mark.parametrize(("told", "count"), [("3.3", 0), ("3.33", 0), ("3", 0), ("3.4", 1), ("3.32", 1), ("4", 1)])
def test_ratios_respect_the_printed_digits(told: str, count: int) -> None:
    """100 / 30 = 3.3333."""
    assert len(lint(paper(claims=[Claim("ratio", a="100", b="30", printed=told)]))) == count


@pytest.mark.parametrize(("told", "count"), [("13.6", 0), ("13.7", 0), ("13.8", 0), ("13.9", 0), ("13.5", 1), ("14.1", 1), ("14", 0)])
def test_gains_respect_the_rounding_of_the_table(told: str, count: int) -> None:
    """8.42 and 7.40 stand for 8.415 .. 8.425 and 7.395 .. 7.405: gains of 13.64 to 13.93 %. Printed 13.6 stands for 13.55 .. 13.65, 13.9 for 13.85 .. 13.95."""
    claim = Claim("gain", table="1", row="b", column="VQ", over="a", printed=told)
    assert len(lint(paper(grid("VQ^\na 7.40\nb 8.42"), claims=[claim]))) == count


@pytest.mark.parametrize(("bold", "found"), [("e", False), ("d", True)])
def test_planted_bold(bold: str, found: bool) -> None:
    """Only e is best in SSIM: .906 against .812."""
    table = grid(CLEAN)
    table = replace(table, rows=tuple(replace(r, bold=("SSIM",) if r.name == bold else ()) for r in table.rows))
    hits = named(lint(paper(table)), "bold-not-best")
    assert bool(hits) is found
    assert all("e is" in f.what and ".812 against .906" in f.arithmetic for f in hits)


def test_bold_ties_and_unknown_bold_are_silent() -> None:
    tied = grid("SSIM^\na .906\nb .906\nc .800\nd .700")
    tied = replace(tied, rows=tuple(replace(r, bold=("SSIM",) if r.name in "ab" else ()) for r in tied.rows))
    assert lint(paper(tied)) == []
    assert lint(paper(grid(CLEAN))) == []


def test_planted_overflow() -> None:
    """29.4 dB is 255 / 10^1.47 = 8.6 grey levels; beside SSIM .668 that is suspect. 29.1 with .91, 24 with .66 and a talking table are not."""
    found = lint(paper(grid("PSNR^ SSIM^\na 29.40 .668\nb 29.10 .910\nc 24.00 .660", task="pose")))
    assert [(f.rule, f.severity, f.row) for f in found] == [("psnr-overflow", "warning", "a")]
    assert "8.6 grey levels" in found[0].arithmetic
    assert lint(paper(grid("PSNR^ SSIM^\na 29.40 .668", task="talking"))) == []


def test_planted_few_clips() -> None:
    """FVD: 400 dimensions. FID: 2,048, against clips x frames = 1,960 or 2,450 pictures."""
    found = lint(paper(grid("FID_ FVD_\na 9.1 200.1\nb 8.1 210.1", clips=40, frames=49)))
    assert [(f.rule, f.column) for f in found] == [("few-clips", "FID"), ("few-clips", "FVD")]
    assert "1960 pictures < 2048" in found[0].arithmetic
    assert [f.column for f in lint(paper(grid("FID_ FVD_\na 9.1 200.1\nb 8.1 210.1", clips=50, frames=49)))] == ["FVD"]
    assert lint(paper(grid("FID_ FVD_\na 9.1 200.1\nb 8.1 210.1"))) == []  # not known: silent


def test_planted_range_arrow_and_disagreement() -> None:
    """SSIM is at most 1; of FVD lower is better; one row of one set has one value."""
    assert only(lint(paper(grid("SSIM^\na 1.206\nb .800"))), "out-of-range").row == "a"
    assert only(lint(paper(grid("FVD^\na 206.1\nb 180.2"))), "arrow").column == "FVD"
    same = {"set": "S", "protocol": "P"}
    one, two = grid("SSIM^ L1_\na .906 .0364\nb .800 .05", "1", **same), grid("SSIM^ L1_\na .926 .0364", "2", **same)
    assert only(lint(paper(one, two)), "row-disagrees").arithmetic == ".926 here, .906 there"
    assert lint(paper(one, replace(two, set="another"))) == []


def test_no_rule_knows_a_paper() -> None:
    """Same tables under other names of paper, rows and file: the same findings."""
    old = _papers.find("humandiff")
    rename = {r.name: f"m{i}" for i, r in enumerate(r for t in old.table for r in t.rows)}
    tables = tuple(replace(t, rows=tuple(replace(r, name=rename[r.name]) for r in t.rows)) for t in old.table)
    other = replace(old, id="x", title="X", file="x.toml", table=tables, claim=tuple(replace(c, row=rename[c.row]) for c in old.claim))
    assert [(f.rule, f.table, f.column) for f in lint(other)] == [(f.rule, f.table, f.column) for f in lint(old)]
