"""What a gate said, for a terminal, for the page of a CI job (Markdown) and for its test view (JUnit XML). Names from records are escaped in each."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence

from reports._gate import VERDICTS, Finding
from reports._table import Cell, Table, number

COLUMNS = ("number", "run", "baseline", "difference", "interval", "tolerance", "p", "adjusted", "n", "verdict")
ERROR_RATE = (
    "where nothing changed, `worse` is said of any of them in at most {alpha:g} of the runs (Holm over {asked}; sign flip over clips)"
)
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$])")


def summary(findings: Sequence[Finding]) -> str:
    """`1 worse, 2 cannot tell, 5 same`."""
    counts = Counter(finding.verdict for finding in findings)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


def foot(findings: Sequence[Finding], alpha: float) -> list[str]:
    """What the verdicts mean."""
    asked = sum(finding.adjusted is not None for finding in findings)
    said = [
        ERROR_RATE.format(alpha=alpha, asked=f"{asked} question{'' if asked == 1 else 's'}"),
        "`same`: the whole interval (nominal 95 %) of the difference lies within +- tolerance; a large p alone is never `same`",
    ]
    if any(finding.is_speed for finding in findings):
        said.append(
            "seconds: medians; the difference is the median ratio over runs of the same clip, with a rank interval; `worse`: slower by more than the tolerance"
        )
    return said


def cells(f: Finding) -> list[str]:
    """A row of COLUMNS."""

    def shown(value: float | None) -> str:
        return "-" if value is None else number(value, f.decimals)

    interval = "-" if f.low is None or f.high is None else f"[{shown(f.low)}, {shown(f.high)}]"
    difference = "-" if f.difference is None else f"x{f.difference:.3f}" if f.is_speed else f"{shown(f.difference)}"
    tolerance = f"{100 * f.tolerance:g} %" if f.is_speed else f"{f.tolerance:.3g}"
    p, adjusted = ("-" if value is None else f"{value:.3g}" for value in (f.p, f.adjusted))
    n = str(f.n) if f.n else "-"
    return [f.full_name, shown(f.ours), shown(f.theirs), difference, interval, tolerance, p, adjusted, n, f.verdict]


def remarks(f: Finding) -> str:
    """Why there is no verdict, and what else must be known."""
    return "; ".join(part for part in (f.reason, *f.notes) if part)


def table(title: str, findings: Sequence[Finding], alpha: float, notes: Sequence[str]) -> Table:
    """For the terminal."""
    rows = [[Cell(text) for text in cells(f)] for f in _ordered(findings)]
    said = [f"{f.full_name}: {f.verdict}: {why}" for f in _ordered(findings) if (why := remarks(f))]
    return Table(title, COLUMNS, rows, [*said, *notes, *foot(findings, alpha)])


def markdown(title: str, sides: Sequence[tuple[str, str]], findings: Sequence[Finding], alpha: float, notes: Sequence[str]) -> str:
    """For the page of a job: the outcome first, what is worse first, both sides named."""
    lines = [f"## {plain(title)}: {summary(findings)}", "", *(f"- {plain(name)}: {plain(value)}" for name, value in sides), ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "| --- |" + " ---: |" * (len(COLUMNS) - 2) + " --- |"]
    for f in _ordered(findings):
        texts = [plain(text) for text in cells(f)]
        texts[-1] = f"**{texts[-1]}**" if f.verdict == "worse" else texts[-1]
        lines.append("| " + " | ".join(texts) + " |")
    said = [f"- {plain(f.full_name)}: {f.verdict}: {plain(why)}" for f in _ordered(findings) if (why := remarks(f))]
    return "\n".join([*lines, "", *said, *(f"- {plain(note)}" for note in notes), *(f"- {note}" for note in foot(findings, alpha))]) + "\n"


def junit(suites: Sequence[ET.Element]) -> str:
    """The file: its counts are the sums of its suites'."""
    counts = {name: str(sum(int(suite.get(name, "0")) for suite in suites)) for name in ("tests", "failures", "errors", "skipped")}
    root = ET.Element("testsuites", counts)
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def counted(name: str, tests: int, failures: int, skipped: int) -> ET.Element:
    """An empty suite that says how many cases follow."""
    counts = {"tests": str(tests), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    return ET.Element("testsuite", {"name": xml(name), **counts})


def suite(name: str, sides: Sequence[tuple[str, str]], findings: Sequence[Finding], failing: Sequence[str]) -> ET.Element:
    """One suite, one case a number. A failing verdict is a failure; another `cannot tell` is a skipped case with its reason."""
    failures = [f for f in findings if f.verdict in failing]
    skipped = [f for f in findings if f.verdict == "cannot tell" and f not in failures]
    found = counted(name, len(findings), len(failures), len(skipped))
    properties = ET.SubElement(found, "properties")
    for side, value in sides:
        ET.SubElement(properties, "property", {"name": xml(side), "value": xml(value)})
    for f in findings:
        case = ET.SubElement(found, "testcase", {"classname": xml(f"{name} : {f.protocol} : {f.method}"), "name": xml(f.name)})
        told = "; ".join(f"{column} {text}" for column, text in zip(COLUMNS[1:], cells(f)[1:], strict=True))
        why = remarks(f)
        if f.verdict in failing:
            ET.SubElement(case, "failure", {"type": f.verdict, "message": xml(f"{f.verdict}: {told}")}).text = xml(why)
        elif f.verdict == "cannot tell":
            ET.SubElement(case, "skipped", {"message": xml(f"cannot tell: {why}")})
        ET.SubElement(case, "system-out").text = xml(told + (f"\n{why}" if why else ""))
    return found


def plain(text: str) -> str:
    """Text that Markdown and the HTML in it leave as it is, on one line."""
    entities = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # `@` and `:` would make mentions and emoji of names.
    return " ".join(_MARKUP.sub(r"\\\1", entities).replace("@", "&#64;").split())


def xml(text: str) -> str:
    """XML 1.0 has no control characters; they become U+FFFD. ElementTree escapes the rest."""
    return _NOT_XML.sub("\ufffd", text)


def _ordered(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: VERDICTS.index(f.verdict))
