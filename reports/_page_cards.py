"""What stands behind a page's numbers: a card for every protocol and number, and where a record comes from, in full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from reports._escape import to_html, visible, without_folders
from reports._export_rows import other_code
from reports._page_data import Column, Run
from reports._rosetta import rules_in_words
from reports._table import number

LISTED = 200
"""Inputs that stand in the sheet itself."""
INPUTS = "data/{}/inputs.tsv"
"""Where all of a run's inputs stand."""
RULES = {"frames": "frames", "size": "size", "time": "frame rates", "pooling": "average"}
GIVEN = {
    "none": "no weights: arithmetic",
    "real": "published weights, by sha256",
    "first-use": "weights recorded at their first use; no hash is published",
    "seeded-1": "weights drawn by formula: a rehearsal, no result",
}


def card_id(run: Run, protocol: str, name: str = "") -> str:
    """The card's place in its sheet."""
    return "-".join(["card", str(run.number), protocol, *([name.replace("@", "-")] if name else [])])


def pairs(items: Iterable[tuple[str, object]]) -> str:
    """A list of terms; empty ones are left out."""
    rows = "".join(f"<div><dt>{to_html(term)}</dt><dd>{to_html(str(said))}</dd></div>" for term, said in items if said not in ("", None))
    return f"<dl>{rows}</dl>"


def protocol_card(run: Run, protocol: Mapping[str, Any], columns: Iterable[Column]) -> str:
    """A protocol's rules, and below each other what every variant of it computes."""
    words = rules_in_words(protocol)
    rules = pairs((RULES[key], text) for key, text in words.items())
    notes = "".join(f"<p>{to_html(line)}</p>" for line in str(protocol.get("notes") or "").splitlines())
    about = pairs([("version", protocol["version"]), ("source", protocol.get("source")), ("supersedes", protocol.get("supersedes"))])
    cards = "\n".join(_variant(run, column) for column in columns)
    return (
        f'<details class="card" id="{card_id(run, str(protocol["id"]))}"><summary>What {to_html(protocol["id"])} does, and what each number is</summary>'
        f'<div class="inside">{rules}{notes}{about}{cards}</div></details>'
    )


def _variant(run: Run, column: Column) -> str:
    facts = run.record.header["metrics"].get(column.name, {})
    row = column.facts
    better = {True: "higher", False: "lower", None: "neither"}[row["higher_is_better"]]
    weights = dict.fromkeys(
        r["weights"]
        for r in run.record.scores
        if (r["protocol"], f"{r['metric']}@{r['variant']}") == (column.protocol, column.name) and r["value"] is not None
    )
    said = [
        ("computes", facts.get("summary")),
        ("after", facts.get("source")),
        ("deviation", facts.get("deviation")),
        ("unit", row["unit"] or "none"),
        ("better", better),
        ("weights", "; ".join(GIVEN.get(w, w) for w in weights)),
        ("interval", {"none": "none"}.get(row["ci_method"], f"{row['ci_method']} over clips, nominal 95 %")),
        ("spread over clips", "" if row.get("sd_clips") is None else f"{number(row['sd_clips'], row['decimals'])} (first method)"),
        ("counted", f"{row['n_clips']} clips, {row['n_frames']} frames (first method)"),
        ("role", "primary: counts for the verdict" if row["primary"] else "secondary: description"),
    ]
    full = f"{run.title} : {column.protocol} : {column.name}"
    title = f"<h5>{to_html(facts.get('title', column.name))} <code>{to_html(column.name)}</code></h5>"
    return f'<article id="{card_id(run, column.protocol, column.name)}">{title}<p class="full"><code>{to_html(full)}</code></p>{pairs(said)}</article>'


def inputs(run: Run) -> Iterable[tuple[str, str]]:
    """(folder and file, sha256) of every input. Other folders are of one machine and left out."""
    for name, digest in run.record.header["inputs"].items():
        yield visible("/".join(PurePath(name).parts[-2:])), digest


def provenance(run: Run) -> str:
    """Code, machine, packages, weights and every input by sha256. Folders are left out: they are of one machine, the hash is the clip."""
    header = run.record.header
    git, machine = header["git"] or {}, header["machine"]
    revision = str(git.get("revision") or "unknown") + (" with uncommitted changes" if git.get("dirty") else "")
    code = pairs(
        [
            ("record", run.name),
            ("status", header["status"]),
            ("spec, sha256", header["spec_sha256"]),
            ("code", revision),
            ("kept from a run of", other_code(git)),
            ("decoder", header["decoder"]),
            ("seeds", ", ".join(map(str, header["spec"].get("seeds", ())))),
            ("device", header["spec"].get("device")),
            ("weights", header["spec"].get("weights")),
            ("notes", without_folders("; ".join(header["notes"]))),
        ]
    )
    unavailable = pairs((name, without_folders(": ".join(why))) for name, why in header["plan"]["unavailable"].items())
    named = list(inputs(run))
    listed = "".join(f"<tr><td>{to_html(name)}</td><td><code>{to_html(digest)}</code></td></tr>" for name, digest in named[:LISTED])
    head = '<tr><th scope="col">clip</th><th scope="col">sha256</th></tr>'
    rest = f"{len(named)} clips; all of them with their hashes: " if len(named) > LISTED else "As a file: "
    link = f'<p>{rest}<a href="{INPUTS.format(run.number)}">inputs.tsv</a></p>'
    blocks = [
        ("Record", code),
        ("Machine", pairs((key, _plain(value)) for key, value in machine.items())),
        ("Packages", pairs(header["packages"].items())),
        ("Networks", pairs((key, _plain(value)) for key, value in header["plan"]["networks"].items())),
        ("Not available", unavailable),
        ("Inputs", f'{link}<div class="scroll"><table><thead>{head}</thead><tbody>{listed}</tbody></table></div>' if named else ""),
    ]
    return "\n".join(
        f"<details class='card'><summary>{title}</summary><div class='inside'>{text}</div></details>"
        for title, text in blocks
        if "<d" in text
    )


def _plain(value: object) -> str:
    """A JSON value in a line."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return ", ".join(map(_plain, value)) if isinstance(value, list | tuple) else "-" if value is None else without_folders(str(value))
