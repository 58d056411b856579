"""Write images of step programs, for runtime/tests/cpp: every cell, every op, both precisions.

    python tools/native_images.py build/images.bin

Each stands after its size in bytes, a little-endian integer of 64 bits.
"""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from elman_runtime.program.image import image

ROOT = Path(__file__).parent.parent


def module(path: Path) -> ModuleType:
    """A file of Python that is no part of a package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path}: cannot be imported")
    found = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = found
    spec.loader.exec_module(found)
    return found


def images() -> Iterator[bytes]:
    """Small ones: their numbers are changed one by one."""
    programs = module(ROOT / "runtime" / "tests" / "native_programs.py")
    plans = module(ROOT / "tools" / "native_plans.py")
    for dtype in ("f4", "f8"):
        yield image(*programs.every_op(dtype, units=5))
        yield image(*programs.stack(programs.LSTM, 6, dtype=dtype, narrow=4, zoneout=[0.5, 0.0]))
        yield image(*programs.stack(programs.GRU, 40, dtype=dtype))
    for tape in plans.tapes():
        width = 5 if "raw" in tape.inputs else 3
        yield image(*programs.stack(tape, 5, width))


def main() -> None:
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(len(one).to_bytes(8, "little") + one for one in images()))


if __name__ == "__main__":
    main()
