"""What a gate looks at beside metrics: the leaderboard's files and tables' own sums. Each thing looked at is a test case."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports import _board_files as board
from reports import _papers
from reports._escape import visible
from reports._gate_files import counted, plain, xml
from reports._lint import lint
from reports._read_tables import read


@dataclass(frozen=True)
class Check:
    """One kind of check. looked: everything it looked at, with the problem where there is one."""

    name: str
    looked: Sequence[board.Looked]

    @property
    def wrong(self) -> list[board.Looked]:
        """What has a problem."""
        return [one for one in self.looked if one.problem]

    @property
    def summary(self) -> str:
        """`leaderboard: 1 wrong of 3`."""
        return (
            f"{self.name}: {len(self.wrong)} wrong of {len(self.looked)}"
            if self.wrong
            else f"{self.name}: {len(self.looked)} as they should be"
        )


def of_leaderboard(records: Path | None) -> list[Check]:
    """Its two pages and every submission; nothing where it is not asked. Raises InputError where the folder is none."""
    return [] if records is None else [Check("leaderboard", board.check(records))]


def of_tables(paths: Sequence[Path] | None) -> list[Check]:
    """Every finding inside the tables, or the file where there is none; the shipped papers where no file is named. Raises InputError as their reader."""
    if paths is None:
        return []
    looked = []
    for path in paths or list(_papers.known().values()):
        found = lint(read(path))
        for one in found:
            place = ", ".join(
                part
                for part in (one.table and f"table {one.table}", one.row and f"row {one.row}", one.column and f"column {one.column}")
                if part
            )
            looked.append(board.Looked(f"{one.file}: {place or 'text'}: {one.rule}", f"{one.severity}: {one.what} ({one.arithmetic})"))
        looked += [] if found else [board.Looked(path.name)]
    return [Check("tables", looked)]


def junit(asked: Sequence[Check]) -> list[ET.Element]:
    """A suite a check, a case a thing looked at."""
    suites = []
    for check in asked:
        suite = counted(check.name, len(check.looked), len(check.wrong), 0)
        for one in check.looked:
            case = ET.SubElement(suite, "testcase", {"classname": check.name, "name": xml(one.name)})
            if one.problem:
                ET.SubElement(case, "failure", {"type": check.name, "message": xml(one.problem)})
        suites.append(suite)
    return suites


def markdown(asked: Sequence[Check]) -> list[str]:
    """For the page of a job: what is wrong, and how many were looked at."""
    return [
        "\n".join([f"## {check.summary}", "", *(f"- {plain(one.name)}: {plain(one.problem)}" for one in check.wrong), ""])
        for check in asked
    ]


def text(asked: Sequence[Check]) -> list[str]:
    """For the terminal."""
    return ["\n".join([check.summary, *(f"  {visible(one.name)}\n      {visible(one.problem)}" for one in check.wrong)]) for check in asked]


def complaints(asked: Sequence[Check]) -> list[str]:
    """A line for each check that says no."""
    return [f"{check.summary}: {', '.join(dict.fromkeys(one.name for one in check.wrong))}"[:600] for check in asked if check.wrong]
