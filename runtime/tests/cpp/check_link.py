"""No processor may meet instructions that it does not have.

    python check_link.py PROGRAM OBJECT...

Several objects may hold the same inline function, and a linker keeps the first. So what the
objects of an instruction set share with others must not be theirs alone, must not run before
`main`, and must have come out of a baseline object in PROGRAM.
"""

import re
import subprocess
import sys
from pathlib import Path

SETS = ("avx2", "avx512")
_OF_A_SET = re.compile(r"4avx2|8set_avx2|6avx512|10set_avx512")
"""Namespaces of a set, as they stand in a linker's names."""
_SHARED = set("WVuTDBRi")
"""Kinds of symbols that other objects see, and define (nm)."""
_WEAK = set("WVuwv")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _defined(path: str, kinds: set[str]) -> set[str]:
    rows = (row.split() for row in _output("nm", "--defined-only", path).splitlines())
    return {row[2] for row in rows if len(row) == 3 and row[1] in kinds}


def _started_early(path: str) -> set[str]:
    found = {row.split()[-1] for row in _output("nm", path).splitlines() if row.strip()}
    return {name for name in found if name.startswith("_GLOBAL__sub_I")}


def of_objects(objects: list[str]) -> list[str]:
    """What the objects of a set define weakly, and no baseline object has."""
    by_set = {
        path: next((s for s in SETS if Path(path).stem.split(".")[0] == s), None)
        for path in objects
    }
    if set(by_set.values()) < {None, *SETS}:
        raise SystemExit(f"objects: one for each of {SETS} is needed, got {objects}")
    baseline = set[str]().union(*(_defined(p, _SHARED) for p, s in by_set.items() if s is None))
    found = []
    for path, name in by_set.items():
        if name is None:
            continue
        found += [f"{path} runs {s} before main" for s in _started_early(path)]
        alone = _defined(path, _WEAK) - baseline
        found += [f"{path} alone has {s}" for s in sorted(alone) if not _OF_A_SET.search(s)]
    return found


def of_program(program: str) -> list[str]:
    """Functions that are of no set, and were taken from the object of one."""
    shared, found, function = _defined(program, _SHARED), set[str](), ""
    for row in _output("objdump", "-d", "--no-show-raw-insn", program).splitlines():
        if row.endswith(">:"):
            function = row[row.index("<") + 1 : -2]
        elif ":\t" in row and function in shared and not _OF_A_SET.search(function):
            operation, _, operands = row.partition(":\t")[2].partition(" ")
            # Those in VEX or EVEX form begin with v, as verr and verw alone do besides.
            vector = operation.startswith("v") and operation not in ("verr", "verw")
            if vector or "%zmm" in operands:
                found.add(function)
    return [f"{program}: {name} has instructions of a set" for name in sorted(found)]


def main() -> int:
    program, *objects = sys.argv[1:]
    found = [*of_objects(objects), *of_program(program)]
    names = subprocess.run(["c++filt"], input="\n".join(found), capture_output=True, text=True)
    print(names.stdout or f"link: {len(objects)} objects, nothing of a set is shared")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
