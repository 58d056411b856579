"""A valid model, ways to break it, and the rules of files, values and states, each broken once."""

import copy

import numpy as np

import program_zoo as zoo
from elman_runtime.model import FORMAT

HUGE = 10**60


PROGRAM, TENSORS = zoo.stack(np.random.default_rng(0).standard_normal)
MAIN_JSON = PROGRAM.to_json()
META = {
    "format": FORMAT,
    "kind": "Sequential",
    "settings": {},
    "tapes": [zoo.RNN.to_json(), zoo.HAND.to_json()],
    "programs": {"main": MAIN_JSON},
}
EXTRA = {
    "double": np.ones((7, 6)),
    "half": np.ones((7, 6), "f2"),
    "whole": np.ones((7, 6), "i8"),
    "narrow": np.ones((3, 7), "f4"),
    "empty": np.ones((0, 6), "f4"),
    "cube": np.ones((2, 2, 2), "f4"),
    "wide": np.ones((1, 1 << 12), "f4"),
    "square": np.ones((1 << 9, 1 << 9), "f4"),
}
# Places in META: nodes by number.
MAIN = ("programs", "main")
NODES = [("nodes", k) for k in range(8)]
EMBED, CONV, CELL, NORM, MEAN, ADD, LINEAR, SOFTMAX = NODES


def put(*path):
    """A change: what stands at the end of a path of keys is set to its last item."""
    *keys, last, value = path

    def change(meta):
        place = meta
        for key in keys:
            place = place[key]
        place[last] = copy.deepcopy(value)

    return change


def put_main(*path):
    return put(*MAIN, *path)


def drop(*path):
    *keys, last = path

    def change(meta):
        place = meta
        for key in keys:
            place = place[key]
        del place[last]

    return change


def node(op, inputs=("n",), outputs=("made",), params=None, attrs=None, states=()):
    """A change: one more node at the end."""

    def change(meta):
        row = {"op": op, "inputs": list(inputs), "outputs": list(outputs)}
        row |= {"params": params or {}, "states": list(states), "attrs": attrs or {}}
        meta["programs"]["main"]["nodes"].append(row)

    return change


def both(*changes):
    def change(meta):
        for one in changes:
            one(meta)

    return change


def tape(section, line, number=0):
    """A change: one more line of a tape."""

    def change(meta):
        meta["tapes"][number]["sections"][section].append(line)

    return change


def fixed(*shape):
    """A change: another input, without time."""

    def change(meta):
        row = {"name": "given", "shape": list(shape), "kind": "float"}
        meta["programs"]["main"]["inputs"].append(row)

    return change


def cell(**more):
    """Attributes of the cell: as they are, or with another."""
    return put_main(*CELL, "attrs", {"tape": 0, **more})


def many(key, count, row):
    return put_main(key, [row] * count)


FORMAT_RULES = {
    "no format": (drop("format"), "format: 1; got None; update elman-runtime"),
    "a later format": (put("format", 2), "got 2; update elman-runtime"),
    "format is true": (put("format", True), "format: 1; got True"),
    "format is text": (put("format", "1"), "format: 1; got '1'"),
    "format 0": (put("format", 0), "load it with elman.load"),
    "no programs": (drop("programs"), "a model has the keys"),
    "no settings": (drop("settings"), "none called settings"),
    "settings are a list": (put("settings", []), "settings: are an object; got []"),
    "kind is a number": (put("kind", 3), "kind: is text; got 3"),
    "tapes are an object": (put("tapes", {}), "tapes: a list of at most 64"),
    "too many tapes": (put("tapes", [META["tapes"][0]] * 65), "tapes: a list of at most 64"),
    "programs are a list": (put("programs", []), "programs: an object of 1 to 16"),
    "programs are none": (put("programs", {}), "programs: an object of 1 to 16"),
    "too many programs": (
        put("programs", {str(k): {} for k in range(17)}),
        "programs: an object of 1 to 16",
    ),
    "a nameless program": (put("programs", {"": {}}), "a name is 1 to 128 printable"),
    "a program of control characters": (put("programs", {"a\x1b[2J": {}}), "printable characters"),
}
READING_RULES = {
    "a program is a list": (put("programs", "main", []), "program 'main': has the keys"),
    "a program is null": (put("programs", "main", None), "program 'main': has the keys"),
    "an unknown key": (put_main("code", "import os"), "program 'main': has the keys"),
    "a later version": (put_main("version", 2), "program 'main': version 1; got 2"),
    "version is true": (put_main("version", True), "version 1; got True"),
    "nodes are an object": (put_main("nodes", {}), "nodes are a list of at most 512"),
    "too many nodes": (many("nodes", 513, {}), "nodes are a list of at most 512; got 513"),
    "too many states": (many("states", 65, {}), "states are a list of at most 64; got 65"),
    "too many inputs": (many("inputs", 65, {}), "inputs are a list of at most 64; got 65"),
    "too many outputs": (many("outputs", 65, {}), "outputs are a list of at most 64; got 65"),
    "a node is text": (put_main("nodes", 0, "relu"), "node 0: has the keys"),
    "a node lacks a key": (drop(*MAIN, *ADD, "attrs"), "node 5: has the keys"),
    "a node has one more": (put_main(*ADD, "eval", "1"), "node 5: has the keys"),
    "an op is a number": (put_main(*ADD, "op", 3), "node 5: a name is text; got 3"),
    "inputs of a node are text": (put_main(*ADD, "inputs", "nm"), "node 5: a list of names"),
    "an input of a node is a number": (put_main(*ADD, "inputs", [1, 2]), "a list of names"),
    "params are a list": (put_main(*ADD, "params", []), "params are an object; got []"),
    "a param is a number": (put_main(*LINEAR, "params", "weight", 1), "a name is text; got 1"),
    "attrs are text": (put_main(*ADD, "attrs", ""), "attrs are an object"),
    "an input without kind": (drop(*MAIN, "inputs", 0, "kind"), "input 0: has the keys"),
    "a shape is a number": (put_main("inputs", 0, "shape", 3), "input 0: a shape is a list"),
    "a size is a float": (put_main("inputs", 0, "shape", ["T", 2.0]), "a shape is a list"),
    "a size is true": (put_main("inputs", 0, "shape", [True]), "a shape is a list"),
    "a size is another letter": (put_main("inputs", 0, "shape", ["B"]), "a shape is a list"),
    "nine axes": (put_main("inputs", 0, "shape", [1] * 9), "at most 8 integers"),
    "a state with time": (put_main("states", 1, "shape", ["T"]), "a state has no axis of time"),
    "start is a number": (put_main("states", 1, "start", 0), "state 1: a name is text; got 0"),
    "a state without start": (drop(*MAIN, "states", 1, "start"), "state 1: has the keys"),
}
VALUE_RULES = {
    "no inputs": (put_main("inputs", []), "1 to 64 inputs; got 0"),
    "no outputs": (put_main("outputs", []), "1 to 64 outputs; got 0"),
    "kind is bytes": (put_main("inputs", 0, "kind", "bytes"), "'float' or 'int'; got 'bytes'"),
    "kind is a list": (put_main("inputs", 0, "kind", []), "'float' or 'int'; got []"),
    "kind of an output": (put_main("outputs", 0, "kind", None), "output 0: a value is 'float'"),
    "no size": (put_main("inputs", 0, "shape", ["T", 0]), "sizes from 1"),
    "a negative size": (put_main("inputs", 0, "shape", ["T", -1]), "sizes from 1"),
    "time is not first": (put_main("inputs", 0, "shape", [2, "T"]), "'T' only first"),
    "time twice": (put_main("inputs", 0, "shape", ["T", "T"]), "'T' only first"),
    "a huge size": (put_main("inputs", 0, "shape", ["T", HUGE]), "at most 16777216 numbers"),
    "a product that wraps": (put_main("inputs", 0, "shape", [2**32, 2**32]), "at most 16777216"),
    "an input twice": (
        put_main("inputs", [{"name": "token", "shape": ["T"], "kind": "int"}] * 2),
        "input 1: no value is written twice; got 'token'",
    ),
    "a nameless value": (put_main(*ADD, "outputs", [""]), "a name is 1 to 128 printable"),
    "a long name": (put_main(*ADD, "outputs", ["n" * 129]), "a name is 1 to 128 printable"),
    "a name of control characters": (put_main(*ADD, "outputs", ["a\n"]), "printable characters"),
    "a value written twice": (put_main(*ADD, "outputs", ["n"]), "no value is written twice"),
    "an input is overwritten": (put_main(*ADD, "outputs", ["token"]), "no value is written twice"),
    "read before it is written": (put_main(*CONV, "inputs", ["y"]), "an input was written before"),
    "read and written at once": (put_main(*ADD, "inputs", ["n", "s"]), "was written before"),
    "an unknown value": (put_main(*ADD, "inputs", ["n", "x"]), "was written before; got 'x'"),
    "a state as a value": (put_main(*ADD, "inputs", ["n", "count"]), "was written before"),
    "an unknown output": (put_main("outputs", 0, "name", "x"), "an output was written by a node"),
    "another shape of an output": (put_main("outputs", 0, "shape", ["T", 3]), "has shape ('T', 2)"),
    "another rank of an output": (put_main("outputs", 0, "shape", [2]), "has shape ('T', 2)"),
    "another kind of an output": (put_main("outputs", 0, "kind", "int"), "of float, as its node"),
    "an output of integers": (
        put_main("outputs", [{"name": "token", "shape": ["T"], "kind": "int"}]),
        "output 0: an output is of floats; got 'token'",
    ),
    "an output twice": (
        put_main("outputs", [{"name": "y", "shape": ["T", 2], "kind": "float"}] * 2),
        "each output stands once",
    ),
    "too many numbers in all": (
        both(
            fixed(1 << 12),
            *[node("repeat", ["given"], [f"r{k}"], attrs={"n": 1 << 12}) for k in range(5)],
        ),
        "all values together have at most 67108864",
    ),
    "a repeat of terabytes": (
        both(fixed(1 << 12), node("repeat", ["given"], attrs={"n": (1 << 31) - 1})),
        "at most 16777216 numbers",
    ),
    "repeats of repeats": (
        both(
            fixed(2),
            node("repeat", ["given"], ["r0"], attrs={"n": 1 << 20}),
            node("repeat", ["r0"], ["r1"], attrs={"n": 1 << 20}),
        ),
        "node 9 (repeat): at most 16777216 numbers",
    ),
    "too much work": (
        both(
            fixed(1 << 15, 1 << 9),
            node("linear", ["given"], ["l0"], {"weight": "square"}),
            node("linear", ["l0"], ["l1"], {"weight": "square"}),
            node("linear", ["l1"], ["l2"], {"weight": "square"}),
        ),
        "node 9 (linear): at most 17179869184 multiplications",
    ),
}
STATE_RULES = {
    "a state of another shape": (put_main("states", 1, "shape", [8]), "start has the state's"),
    "a state without a tensor": (put_main("states", 1, "start", "x"), "start is a tensor of the"),
    "a start of another dtype": (put_main("states", 1, "start", "whole"), "float32 or float64"),
    "a state twice": (put_main("states", 2, "name", "mean"), "each state has a name of its own"),
    "a state of nobody": (
        put_main("states", [*MAIN_JSON["states"], {"name": "x", "shape": [1], "start": None}]),
        "each state is written by some node; got ['x']",
    ),
    "a state of two nodes": (
        node("running", ["n"], states=("count", "mean"), attrs={"how": "max"}),
        "a state is written by one node alone; got 'count'",
    ),
    "an unknown state": (put_main(*CONV, "states", ["x"]), "a state of the program; got 'x'"),
    "too few states": (put_main(*CONV, "states", []), "node 1 (conv): has 1 states; got ()"),
    "states of a stateless op": (put_main(*ADD, "states", ["x"]), "has 0 states; got ('x',)"),
    "states in another order": (
        put_main(*MEAN, "states", ["mean", "count"]),
        "state 'mean' has shape (1,); got (7,)",
    ),
    "a state that is too short": (put_main("states", 0, "shape", [3, 5]), "has shape (4, 5)"),
    "a state that is negative": (put_main("states", 0, "shape", [-4, 5]), "sizes from 0"),
    "a state of exabytes": (put_main("states", 0, "shape", [HUGE]), "at most 16777216 numbers"),
}
RULES = {**FORMAT_RULES, **READING_RULES, **VALUE_RULES, **STATE_RULES}
