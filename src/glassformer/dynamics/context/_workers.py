"""Independent pieces of one step, on threads of our own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType


class Workers:
    """Runs lists of independent pieces; every piece writes its own part of an array, so their order never matters."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1, thread_name_prefix="glassformer-context") if threads > 1 else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def run(self, pieces: Sequence[Callable[[], None]], *, worth: bool = True) -> None:
        """Run all pieces and wait; on this thread alone where handing them over is not `worth` it."""
        if self._pool is None or not worth or len(pieces) < 2:
            for piece in pieces:
                piece()
            return
        groups = [pieces[k :: self.threads] for k in range(min(self.threads, len(pieces)))]
        waiting = [self._pool.submit(_run_all, group) for group in groups[1:]]
        try:
            _run_all(groups[0])
        finally:
            for future in waiting:
                future.result()


def _run_all(pieces: Sequence[Callable[[], None]]) -> None:
    for piece in pieces:
        piece()
