"""Runs for MLflow: one a method."""

from __future__ import annotations

import re

from benchmark.errors import InputError
from benchmark.record import to_text
from reports._export_rows import Asked, folder, missing
from reports._rows import name_of

TAKEN = 4096
"""Characters of a parameter's value that every version of MLflow takes."""


def key(protocol: str, name: str, end: str = "") -> str:
    """`strict-1/psnr/float`: MLflow takes no `@`."""
    return re.sub(r"[^\w./ -]", "_", "/".join([protocol, *name.split("@"), *([end] if end else [])]))


def export(asked: Asked) -> str:
    """Metrics `protocol/metric/variant` with `ci_low`, `ci_high` and `clips`; the record's facts as parameters; the rows as `scores.json`.

    Goes to `--uri`, or to a SQLite file below `--to` (default mlflow/), which needs no server.
    """
    try:
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise missing("mlflow", "mlflow") from None
    try:
        return _send(asked)
    except (MlflowException, ImportError) as error:
        # mlflow-skinny has no store of its own: SQLAlchemy brings one
        hint = "python -m pip install 'human-video-benchmark[mlflow]'"
        raise InputError("mlflow does not take it", code="mlflow", found=" ".join(str(error).split())[:300], hint=hint) from None


def _send(asked: Asked) -> str:
    import time

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    uri = asked.uri
    where = None
    if uri is None:
        root = folder(asked, "mlflow").resolve()
        root.mkdir(parents=True, exist_ok=True)
        uri, where = f"sqlite:///{root / 'mlflow.db'}", (root / "artifacts").as_uri()
    client = MlflowClient(tracking_uri=uri)
    name = asked.project or asked.title
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name, artifact_location=where)
    now = int(time.time() * 1000)
    for method in asked.methods:
        run = client.create_run(experiment, run_name=method[:250], start_time=now)
        metrics = []
        for row in asked.of(method):
            ends = [("", row["value"]), ("ci_low", row["ci_low"]), ("ci_high", row["ci_high"]), ("clips", float(row["n_clips"]))]
            metrics += [Metric(key(row["protocol"], name_of(row), end), value, now, asked.step) for end, value in ends if value is not None]
        for start in range(0, len(metrics), 1000):
            client.log_batch(run.info.run_id, metrics=metrics[start : start + 1000])
        client.log_batch(run.info.run_id, params=[Param(name, str(value)[:TAKEN]) for name, value in asked.facts(method).items()])
        client.log_text(run.info.run_id, to_text([dict(row) for row in asked.of(method)]), "scores.json")
        client.set_terminated(run.info.run_id, "FINISHED", now)
    said = f"{uri}: experiment {name}: {len(asked.methods)} runs, {len(asked.rows)} numbers"
    return f"{said}\nnext:   mlflow ui --backend-store-uri {uri}   (of the whole mlflow package)"
