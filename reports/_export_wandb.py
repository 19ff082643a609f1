"""Runs for Weights & Biases: one a method, of one group."""

from __future__ import annotations

from benchmark.errors import InputError
from reports._export_rows import Asked, folder, missing
from reports._rows import name_of

COLUMNS = ("protocol", "metric", "value", "ci_low", "ci_high", "clips", "failed", "weights", "flags")


def export(asked: Asked) -> str:
    """Scalars `protocol/metric@variant`; the rows and the clips' values as tables; the record's facts as the run's config.

    With `--to DIR` offline, into that folder (`wandb sync` sends it later); else to the server that wandb is logged in to.
    """
    try:
        import wandb
    except ImportError:
        raise missing("wandb", "wandb") from None
    project = asked.project or "human-video-benchmark"
    offline = asked.to is not None
    root = folder(asked, ".")
    root.mkdir(parents=True, exist_ok=True)
    for method in asked.methods:
        rows = asked.of(method)
        try:
            run = wandb.init(
                project=project,
                name=method[:120],
                group=f"{asked.title} {asked.record.header['spec_sha256'][:8]}"[:120],
                config=asked.facts(method),
                dir=str(root),
                mode="offline" if offline else None,
                reinit="create_new",
                settings=wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True, save_code=False),
            )
        except (wandb.errors.Error, OSError) as error:
            hint = "--to DIR writes offline, or: wandb login"
            raise InputError("wandb does not start a run", code="wandb", found=" ".join(str(error).split())[:200], hint=hint) from None
        scores = wandb.Table(columns=list(COLUMNS))
        clips = wandb.Table(columns=["protocol", "metric", "case", "value"])
        for row in rows:
            told = (row["protocol"], name_of(row), row["value"], row["ci_low"], row["ci_high"], row["n_clips"], row["n_failed"])
            scores.add_data(*told, row["weights"], ", ".join(row["flags"]))
            for case, value in asked.clips(row).items():
                clips.add_data(row["protocol"], name_of(row), case, value)
        numbers = {f"{row['protocol']}/{name_of(row)}": row["value"] for row in rows}
        run.log({**numbers, "scores": scores, "clips": clips}, step=asked.step)
        run.finish()
    # finish() may return before wandb's own process has written the last of a run's file; this waits for it.
    wandb.teardown()
    next_step = f"\nnext:   wandb sync {root / 'wandb'}/offline-run-*" if offline else ""
    return f"wandb project {project}: {len(asked.methods)} runs, {len(asked.rows)} numbers{next_step}"
