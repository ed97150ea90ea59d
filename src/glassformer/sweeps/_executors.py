"""Where work runs: here, in a pool of local processes, or on a Dask cluster, all behind ``concurrent.futures``.

Only a function name, a directory and an index travel to a worker; everything else is read from the directory.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from glassformer._core._errors import InvalidInputError, MissingExtraError, StoreError

KINDS = ("serial", "process", "dask")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_ATTEMPTS = 3
PATIENCE = 20  # seconds to wait for a scheduler

Task = tuple[str, int]
Work = Callable[[str, int], Any]
OnDone = Callable[[Task, Any, BaseException | None], None]


class SerialExecutor(Executor):
    """Runs each call at once in this process; Ctrl-C goes straight through."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn` and return a finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def open_executor(kind: str, *, jobs: int = 1, scheduler: str | None = None) -> AbstractContextManager[Executor]:
    """Return a context manager that gives the executor called `kind`.

    Parameters
    ----------
    kind : {"serial", "process", "dask"}
    jobs : int
        Number of local processes (``process``), or of local workers when `scheduler` is left out (``dask``).
    scheduler : str, optional
        Address of a running Dask scheduler, as in ``tcp://127.0.0.1:8786``.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise InvalidInputError(f"jobs is {jobs!r}, but must be an integer >= 1.")
    if kind not in KINDS:
        raise InvalidInputError(f"the executor is {kind!r}, but must be one of {', '.join(KINDS)}, slurm.")
    if scheduler is not None and kind != "dask":
        raise InvalidInputError(f"a scheduler address was given to the executor {kind!r}, but only dask takes one.")
    if kind == "dask":
        return _dask(jobs, scheduler)
    if kind == "process":
        return _processes(jobs)
    return _serial()


def map_tasks(
    kind: str,
    work: Work,
    tasks: Sequence[Task],
    on_done: OnDone,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
) -> None:
    """Run ``work(directory, index)`` for every task and report each to `on_done` in this thread as it ends.

    A worker process that dies takes down a whole local pool; the tasks it had not finished are tried again in a fresh
    one, a few times.
    """
    remaining = list(tasks)
    for _ in range(_ATTEMPTS):
        remaining = _map_once(kind, work, remaining, on_done, jobs, scheduler)
        if not remaining:
            return
    raise StoreError(
        f"worker processes died {_ATTEMPTS} times, with {len(remaining)} tasks left (out of memory?); what was finished "
        "is kept: try again with fewer jobs."
    )


def _map_once(
    kind: str, work: Work, tasks: list[Task], on_done: OnDone, jobs: int, scheduler: str | None
) -> list[Task]:
    left: list[Task] = []
    with open_executor(kind, jobs=jobs, scheduler=scheduler) as executor:
        if isinstance(executor, SerialExecutor):  # one at a time, so that each is reported before the next begins
            for task in tasks:
                future = executor.submit(work, *task)
                on_done(task, None if future.exception() else future.result(), future.exception())
            return left
        try:
            with _interrupts_held_back():
                pending = {executor.submit(work, *task): task for task in tasks}
        except BrokenProcessPool:
            return tasks
        while pending:
            done, _ = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                task = pending.pop(future)
                try:
                    result = future.result()
                except (BrokenProcessPool, CancelledError):
                    left.append(task)
                except Exception as error:
                    on_done(task, None, error)
                else:
                    on_done(task, result, None)
    return left


@contextmanager
def _serial() -> Iterator[Executor]:
    yield SerialExecutor()


@contextmanager
def _processes(jobs: int) -> Iterator[Executor]:
    context = multiprocessing.get_context("spawn")  # fork would copy threads and locks in the middle of their work
    with _one_thread_per_process():
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=prepare_worker)
        try:
            yield pool
        except BaseException:
            for process in list((getattr(pool, "_processes", None) or {}).values()):  # shutdown would forget them
                with suppress(OSError, ValueError):
                    process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        else:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Deliver Ctrl-C afterwards, so that no worker is left half started.

    Workers started inside inherit the blocked signal, and import in peace until `prepare_worker` silences it. The
    handler is for this process, where the signal may reach a thread of some library that blocks nothing.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    arrived: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, frame: arrived.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if arrived:
        signal.raise_signal(arrived[0])


@contextmanager
def _one_thread_per_process() -> Iterator[None]:
    """Let the processes started inside inherit one thread each: several processes with all cores each are slower."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def prepare_worker() -> None:
    """Set up a worker process: Ctrl-C is the parent's business, and the worker does not outlive the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if "numpy" in sys.modules:  # imported before the variables could act, by the user's own script
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: Any) -> None:
    parent.join()
    os._exit(1)  # a killed parent cannot ask; a worker that stays would hold its lock for ever


def check_extra() -> None:
    """Raise unless the package that the Dask executor needs is installed."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "the executor 'dask' needs the package distributed; install it with pip install 'glassformer[distributed]'."
        ) from error


@contextmanager
def _dask(jobs: int, scheduler: str | None) -> Iterator[Executor]:
    check_extra()
    from distributed import Client, LocalCluster

    cluster = None
    if scheduler is None:
        with _one_thread_per_process():
            cluster = LocalCluster(
                n_workers=jobs, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
            )
    try:
        client = Client(cluster if cluster is not None else scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"the scheduler is {scheduler!r}, but no Dask scheduler answers there; start one with `dask scheduler`."
        ) from error
    try:
        with client, client.get_executor(pure=False) as executor:
            yield executor
    finally:
        if cluster is not None:
            cluster.close()
