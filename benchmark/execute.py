"""Who does the jobs: this process, or several. A job is self-contained and picklable, so that another executor can send it to another machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from benchmark.evaluate import evaluate
from benchmark.jobs import CaseJob, UnitResult

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
            min(self.workers, len(jobs)), mp_context=multiprocessing.get_context("spawn"), initializer=_settle_worker
        )
        try:
            for future in as_completed([pool.submit(evaluate, job) for job in jobs]):
                results = future.result()
                progress(sum(len(frames) for r in results for frames, _ in list(r.frames.values())[:1]))
                yield results
        except BaseException:
            # Nobody waits for clips that are under way: they are done again on resume.
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise
        pool.shutdown()


def _settle_worker() -> None:
    """A worker leaves Ctrl-C to its parent, which ends it; and where the parent was killed it must not go on for nobody."""
    import multiprocessing
    import os
    import signal
    import threading
    from multiprocessing.connection import wait

    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
