"""Who does the jobs: this process, or several. A job is self-contained and picklable, so that another executor can send it to another machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from benchmark.evaluate import CaseJob, UnitResult, evaluate

Progress = Callable[[int], None]


class Executor(Protocol):
    """Runs jobs and yields their results in any order; the record sorts."""

    def run(self, jobs: Sequence[CaseJob], progress: Progress) -> Iterator[list[UnitResult]]:
        """Results of every job, as they come. progress(n): so many frames were compared."""
        ...


class Serial:
    """One job after the other in this process."""

    def run(self, jobs: Sequence[CaseJob], progress: Progress) -> Iterator[list[UnitResult]]:
        """In the order of the jobs."""
        for job in jobs:
            yield evaluate(job, progress)


class Processes:
    """Several worker processes, started fresh (no state is inherited)."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, jobs: Sequence[CaseJob], progress: Progress) -> Iterator[list[UnitResult]]:
        """As the workers finish."""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor, as_completed

        pool = ProcessPoolExecutor(
            min(self.workers, len(jobs)), mp_context=multiprocessing.get_context("spawn"), initializer=_die_with_parent
        )
        try:
            for future in as_completed([pool.submit(evaluate, job) for job in jobs]):
                results = future.result()
                progress(sum(len(frames) for r in results for frames, _ in list(r.frames.values())[:1]))
                yield results
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _die_with_parent() -> None:
    """A worker whose parent was killed must not go on for nobody."""
    import multiprocessing
    import os
    import threading
    from multiprocessing.connection import wait

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def executor(workers: int) -> Executor:
    """The executor for a number of workers."""
    return Serial() if workers <= 1 else Processes(workers)
