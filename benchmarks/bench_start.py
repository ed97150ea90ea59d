"""What it costs to begin: `import glassformer` and `glassformer --help`, beside a bare interpreter and `import numpy`.

Claims: the import stays under 0.4 s, the help under 0.3 s more than a bare interpreter. Exit code 1 when one fails.
"""

from __future__ import annotations

import subprocess
import sys
import time

CLAIMS = {"import glassformer": 0.4, "glassformer --help": 0.3}


def shortest(*arguments: str, repeats: int = 7) -> float:
    """Return the shortest time of a fresh interpreter with these arguments, after one to warm up the file cache."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def main() -> int:
    bare = shortest("-c", "pass")
    numpy = shortest("-c", "import numpy") - bare
    print(f"bare interpreter          {bare:.3f} s")
    print(f"import numpy              {numpy:.3f} s more")
    failed = False
    for name, arguments in (
        ("import glassformer", ("-c", "import glassformer")),
        ("glassformer --help", ("-m", "glassformer.cli", "--help")),
    ):
        more = shortest(*arguments) - bare
        missed = more >= CLAIMS[name]
        failed |= missed
        print(f"{name:25} {more:.3f} s more ({more / numpy:.2f} times numpy); claim: under {CLAIMS[name]} s: ", end="")
        print("MISSED" if missed else "met")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
