"""Look for ever for a model file that is neither refused nor runs.

    python -m pip install atheris
    python tools/fuzz_model_file.py --seconds 3600

Valid files are broken in their bytes, their JSON, their tapes and their programs, guided by which
lines of elman_runtime they reach. Each must be refused with ModelFileError, or load and run every
program without any other exception, within the memory and time given. What is found is written to
a file beside the corpus, and printed; one run of it again: `--again FILE`.
"""

import argparse
import json
import random
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
NUMBERS = (0, 1, 2, 3, 7, -1, 1 << 31, (1 << 31) - 1, 1 << 63, 10**30, 0.5, -1e300, 1e-320)
ODD = (
    "T",
    "",
    "x" * 600,
    None,
    True,
    False,
    [],
    {},
    [[]],
    "\u0000",
    "main",
    "step",
    "float",
    "int",
)
LEAST = 1 << 20
"""Multiplications and instructions that a file may ask for and still be run here."""


# --- breaking a file -----------------------------------------------------------------------------


def unpacked(data):
    """The header and what stands under the key `elman` as JSON, and the tensors' bytes."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["elman"]), data[8 + length :]


def packed(header, meta, rest):
    """The inverse of `unpacked`."""
    header = {**header, "__metadata__": {"elman": json.dumps(meta)}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def places(value, found=None):
    """Each container with a key or index into it, all the way down."""
    found = [] if found is None else found
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            places(value[key], found)
    return found


def broken(meta, rng):
    """Change a JSON tree in one place; what stands elsewhere in it is a likely replacement."""
    everywhere = places(meta)
    if not everywhere:
        return
    # Programs and tapes are most of what there is to break.
    inside = [p for key in ("programs", "tapes") if key in meta for p in _under(meta[key])]
    holder, key = rng.choice(inside if inside and rng.random() < 0.9 else everywhere)
    value, other = holder[key], rng.choice(everywhere)
    action = rng.random()
    if action < 0.12:
        del holder[key]
    elif action < 0.22 and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), json.loads(json.dumps(value)))
    elif action < 0.3:
        holder[key] = rng.choice(ODD)
    elif isinstance(value, str) and " = " in value:
        holder[key] = _line(value, everywhere, rng)
    elif isinstance(value, int | float) and action < 0.8:
        holder[key] = rng.choice((*NUMBERS, value + 1, value - 1, -value))
    elif isinstance(value, str) and action < 0.95:
        strings = [h[k] for h, k in everywhere if isinstance(h[k], str) and " = " not in h[k]]
        holder[key] = rng.choice([*strings, *_words()])
    else:
        holder[key] = json.loads(json.dumps(other[0][other[1]]))


def _under(value):
    return places(value) if isinstance(value, dict | list) else []


def _words():
    from elman_runtime.program import OPS

    return list(OPS)


def _line(text, everywhere, rng):
    """A line of a tape with another word in it."""
    from elman_runtime.tape import OPS

    lines = [h[k] for h, k in everywhere if isinstance(h[k], str) and " = " in h[k]]
    known = [word for line in lines for word in line.split()]
    words = text.split(" ")
    words[rng.randrange(len(words))] = rng.choice([*known, *OPS, "w0", "v3", "f0", "r511", "1.0"])
    if rng.random() < 0.2:
        words.insert(rng.randrange(3, len(words) + 1), rng.choice(known))
    return " ".join(words)


def grown(header, meta, rng):
    """Add a node or a line that may well be right, so that odd models are run and not refused."""
    if rng.random() < 0.4:
        _longer_tape(rng.choice(meta["tapes"]), rng)
    else:
        _longer_program(header, meta, rng.choice(list(meta["programs"].values())), rng)


def _longer_tape(tape, rng):
    from elman_runtime.tape import OPS

    title = rng.choice(["update", "update", "read", "prologue"])
    lines = tape["sections"][title]
    at = rng.randrange(len(lines) + 1)
    known = [f"s.{n}" for n in tape["state"]] + [f"p.{n}" for n in tape["params"]]
    known += [f"x.{n}" for n in (*tape["gates"], *tape["inputs"])] + ["1.0", "-0.5", "1e+30"]
    known += [line.split(" ")[0] for line in lines[:at]] * 2
    op = rng.choice(list(OPS))
    to = rng.choice(("r0", "r1", "q0", "q1", "f9", "v9", "w9", "start.h", "new.h"))
    operands = [rng.choice(known) for _ in range(OPS[op].arity)]
    lines.insert(at, " ".join([to, "=", op, *operands]))
    if at + 1 < len(lines):  # a later line reads it
        later = rng.randrange(at + 1, len(lines))
        words = lines[later].split(" ")
        words[rng.randrange(3, len(words))] = to
        lines[later] = " ".join(words)


def _longer_program(header, meta, program, rng):
    from elman_runtime import tape
    from elman_runtime.program import OPS, from_json, infer

    tensors = {}
    for key in header.keys() - {"__metadata__"}:  # their shapes alone, which may be huge
        kind = {"F32": "f4", "F64": "f8", "I64": "i8"}[header[key]["dtype"]]
        tensors[key] = np.broadcast_to(np.zeros((), kind), header[key]["shape"])
    tapes = [tape.from_json(one) for one in meta["tapes"]]
    values = infer(from_json(program), tensors, tapes).values
    row = _row(list(OPS), list(values), list(tensors), rng)
    if "state" in row:
        size = int(values[row["inputs"][0]].shape[-1])
        names = [f"{row['outputs'][0]}.{k}" for k in range(2)]
        shapes = ([1], [size])
        program["states"] += [
            {"name": n, "shape": s, "start": None} for n, s in zip(names, shapes, strict=True)
        ]
        row["states"] = names
        del row["state"]
    program["nodes"].append(row)
    found = infer(from_json(program), tensors, tapes).values
    added = [{"name": n, "shape": list(found[n].shape), "kind": found[n].kind} for n in found]
    program["outputs"] = rng.sample(added, min(len(added), rng.randint(1, 3)))


def _row(ops, values, tensors, rng):
    """A node of some op over known values; its attributes are small numbers."""
    op = rng.choice(ops)
    count = {"constant": 0, "attention": 3, "cell_step": 2, "concat": 2}.get(op, 1)
    count = 2 if op in ("add", "sub", "mul", "div", "maximum", "minimum") else count
    made = f"g{rng.randrange(1 << 30)}"
    n = rng.randint(1, 4)
    attrs = {
        "layer_norm": {"eps": rng.choice((0, 1e-5))},
        "scale": {"factor": rng.choice((0, -1, 1e38)), "shift": rng.choice((0, 1, -1e38))},
        "slice": {"axis": rng.choice(("first", "last")), "start": 0, "stop": n},
        "reshape": {"shape": rng.choice(([], [1], [n], [n, 1], [1, n, 1, 1]))},
        "repeat": {"n": rng.choice((1, 2, 1000))},
        "pool": {"how": rng.choice(("max", "mean"))},
        "running": {"how": rng.choice(("max", "mean"))},
    }.get(op, {})
    row = {"op": op, "inputs": [rng.choice(values) for _ in range(count)], "outputs": [made]}
    row |= {"params": {}, "states": [], "attrs": attrs}
    roles = {"embedding": "weight", "linear": "weight", "constant": "value", "attention": "v"}
    if op in roles:
        row["params"] = {roles[op]: rng.choice(sorted(tensors))}
    if op == "running":
        row["state"] = True
    if op == "attention":
        row["outputs"] = [made, f"{made}w"]
    return row


def mutated(data, rng, scramble):
    """Another file: other JSON, or other bytes, which `scramble(data)` makes."""
    kind = rng.random()
    if kind < 0.1:
        return scramble(data)
    from elman_runtime import ModelFileError

    try:
        header, meta, rest = unpacked(data)
        for _ in range(rng.randint(1, 3)):
            if kind < 0.7:
                grown(header, meta, rng)
            else:
                broken(header if rng.random() < 0.05 else meta, rng)
        return packed(header, meta, rest)
    except ModelFileError:  # what was added broke a rule: that is a file to try too
        return packed(header, meta, rest)
    except (ValueError, LookupError, TypeError, struct.error, ArithmeticError, AttributeError):
        return scramble(data)


def scrambled(data, rng):
    """Some bytes exchanged, inserted or cut."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        end = min(len(found), at + rng.randint(0, 4))
        found[at:end] = rng.randbytes(rng.randint(0, 4))
    return bytes(found)


# --- what is demanded ----------------------------------------------------------------------------


def demand(path):
    """ModelFileError, or a model whose programs run; returns how many did."""
    from elman_runtime import ModelFileError, load

    try:
        model = load(path)
    except ModelFileError as error:
        if len(str(error)) > 4096:
            raise RuntimeError("a message is bounded") from error
        return 0
    for name, program in model.programs.items():
        if _cheap(program, model):
            _run(model, name)
    return len(model.programs)


def _cheap(program, model):
    from elman_runtime.program import infer
    from elman_runtime.program.ops import instructions, products

    facts = infer(program, model.tensors, model.tapes).facts
    pairs = zip(program.nodes, facts, strict=True)
    return sum(products(node.op, f) + 64 * instructions(f) for node, f in pairs) < LEAST * 64


def _run(model, name):
    from elman_runtime.program import NumpyRunner, evaluate, kind_of, runner

    program = model.program(name)
    for batch, steps, lengths in ((1, 1, None), (2, 3, np.array([0, 2])), (0, 2, None)):
        inputs = [_input(v, batch, steps) for v in program.inputs]
        timed = any(v.shape[:1] == ("T",) for v in program.inputs)
        made, states = evaluate(
            program, model.tensors, model.tapes, inputs, lengths if timed else None
        )
        for value, array in zip(program.outputs, made, strict=True):
            wanted = tuple(steps if size == "T" else size for size in value.shape)
            assert array.shape == (batch, *wanted), (value, array.shape)
        assert [s.shape[1:] for s in states] == [s.shape for s in program.states]
    if kind_of(program).name != "step":
        return
    parts = (program, model.tensors, model.tapes)
    for one in (NumpyRunner(*parts), runner(*parts)):
        state = np.tile(one.start(), (2, 1))
        inputs = [_input(v, 2, 2) for v in program.inputs]
        outputs = [np.empty((2, 2, *v.shape[1:]), one.dtype) for v in program.outputs]
        one.run(state, inputs, outputs)


def _input(value, batch, steps):
    shape = (batch, *(steps if size == "T" else size for size in value.shape))
    if value.kind == "int":
        return np.zeros(shape, np.int64)
    return np.random.default_rng(0).standard_normal(shape)


# --- seeds and the loop --------------------------------------------------------------------------


def seeds(folder):
    """Write files to begin with: the golden ones, and models with every op."""
    import importlib.util

    from elman_runtime import write_model

    tests = ROOT / "runtime" / "tests"
    for path in (tests / "golden").glob("*.safetensors"):
        (folder / path.name).write_bytes(path.read_bytes())
    spec = importlib.util.spec_from_file_location("zoo", tests / "program_zoo.py")
    zoo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(zoo)
    for name, (programs, tapes, tensors) in zoo.models().items():
        write_model(folder / f"{name}.safetensors", programs, tapes, tensors, "Seed", {})


def main():
    """Fuzz until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--corpus", type=Path, help="a folder that is kept; default: a new one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, help="a file that was found: run it alone")
    args = parser.parse_args()
    sys.path[:0] = [str(ROOT / "runtime")]
    if args.again:
        print(f"{args.again}: {demand(args.again)} programs ran")
        return
    import atheris

    with atheris.instrument_imports(include=["elman_runtime"]):
        import elman_runtime.program
        import elman_runtime.tape  # noqa: F401
    corpus = args.corpus or Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus.mkdir(exist_ok=True)
    seeds(corpus)
    scratch = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)) / "m"

    def target(data):
        scratch.write_bytes(data)
        demand(scratch)

    def mutator(data, size, seed):
        rng = random.Random(seed)
        return mutated(data, rng, lambda d: atheris.Mutate(d, size))[:size]

    options = {
        "max_total_time": args.seconds,
        "seed": args.seed + 1,
        "max_len": 1 << 16,
        "timeout": 60,
        "rss_limit_mb": 2048,
        "artifact_prefix": f"{corpus}/found-",
    }
    flags = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], target, custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
