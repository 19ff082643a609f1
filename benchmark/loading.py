"""Networks as a plan wants them: loaded once a process, run by their back end or by a worker, with what is to be said of their arithmetic."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import backends, machine, worker
from benchmark.data import canonical
from benchmark.model import Extractor, Forward
from benchmark.paths import write_atomic
from benchmark.plan import Network
from benchmark.registry import find, registry
from benchmark.workers import Identity, WorkerExtractor


@dataclass(frozen=True)
class Networks:
    """What a worker needs to load networks: their weights as planned, and where features go."""

    planned: Mapping[str, Network] = field(default_factory=dict)
    mode: str = "real"
    folder: Path | None = None
    shards: Path = Path()
    max_frames: int = 512
    workers: Mapping[str, Identity] = field(default_factory=dict)


@lru_cache(maxsize=16)
def _by_torch(extractor_id: str, mode: str, folder: Path | None, device: str) -> Forward:
    return backends.load(find(registry().extractors, extractor_id, "extractor"), mode, folder, device)


def forward(extractor_id: str, mode: str, folder: Path | None, device: str) -> Forward:
    """The network by torch in IEEE float32, loaded once a process. Raises Unscored where its weights cannot be had."""
    network = _by_torch(extractor_id, mode, folder, device)
    machine.settle_torch()
    return network


@lru_cache(maxsize=16)
def _behind(network: Network, mode: str, folder: Path | None, device: str, graphs: Path) -> Forward:
    exact = _by_torch(network.extractor, mode, folder, device)
    return backends.behind(exact, planned(network), network.sha256, network.backend, graphs)


def forget() -> None:
    """Drop the loaded networks of this process."""
    _by_torch.cache_clear()
    _behind.cache_clear()
    worker.stop()


def planned(network: Network) -> Extractor:
    """The extractor with the run's own batch."""
    return replace(find(registry().extractors, network.extractor, "extractor"), batch=network.batch)


class Loader:
    """The networks of a run on a device."""

    def __init__(self, networks: Networks, device: str) -> None:
        self.networks, self.device = networks, device

    def forward(self, network: Network) -> Forward:
        """The network under its back end. Raises Unscored where it cannot be had."""
        extractor = planned(network)
        if isinstance(extractor, WorkerExtractor):
            return partial(self._elsewhere, extractor, network.sha256)
        found = _behind(network, self.networks.mode, self.networks.folder, self.device, self.networks.shards.parent / "graphs")
        machine.settle_torch(network.backend)
        return found

    def _elsewhere(
        self, extractor: WorkerExtractor, sha256: str, batch: NDArray[Any], sound: NDArray[np.int16] | None = None
    ) -> NDArray[np.float32]:
        """One batch through the extractor's worker; what it said when it loaded is kept beside the features."""
        process = worker.running(find(registry().workers, extractor.worker, "worker"), self.networks.workers[extractor.worker], self.device)
        rows = process.score(extractor.ask, batch, sound, extractor.dimension)
        if not (path := self._facts(sha256)).exists():
            write_atomic(path, canonical(process.facts))
        return rows

    def _facts(self, sha256: str) -> Path:
        return self.networks.shards / "workers" / f"{sha256}-{self.device.partition(':')[0]}.json"

    def stated(self, network: Network) -> dict[str, Any]:
        """{"deviation": ...} of a network whose arithmetic is not its reference; measured where this machine has not done so yet. {"facts": ...} of a
        worker: what it said when it loaded."""
        extractor = planned(network)
        if network.worker is not None:
            path = self._facts(network.sha256)
            return {"facts": json.loads(path.read_bytes())} if path.exists() else {}
        if network.backend in (backends.TORCH, backends.LITERT) or extractor.script:
            return {}

        def measure() -> float:
            exact = _by_torch(network.extractor, self.networks.mode, self.networks.folder, self.device)
            return backends.deviation(extractor, exact, self.forward(network), network.backend)

        name = backends.identity(extractor, network.sha256, machine.numerics(self.device, network.backend))
        return {"deviation": backends.stated(self.networks.shards / "deviations" / f"{name}.json", measure)}
