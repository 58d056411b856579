"""The rules of nodes, cells and tapes, each broken once; as hostile_programs has those of files."""

import hostile_programs as base

put, put_main, drop, node, both = base.put, base.put_main, base.drop, base.node, base.both
tape, fixed, cell, HUGE, MAIN = base.tape, base.fixed, base.cell, base.HUGE, base.MAIN
EMBED, CONV, CELL, NORM, MEAN, ADD, LINEAR, SOFTMAX = base.NODES

NODE_RULES = {
    "an unknown op": (put_main(*ADD, "op", "exec"), "an op of the closed table; got 'exec'"),
    "an op of Python's": (put_main(*ADD, "op", "__class__"), "an op of the closed table"),
    "one input too few": (put_main(*ADD, "inputs", ["n"]), "takes 2 to 2 inputs; got 1"),
    "one input too many": (put_main(*ADD, "inputs", ["n"] * 3), "takes 2 to 2 inputs; got 3"),
    "too many inputs of a node": (put_main(*ADD, "inputs", ["n"] * 10**5), "takes 2 to 2 inputs"),
    "one output too many": (put_main(*ADD, "outputs", ["s", "x"]), "makes 1 outputs; got"),
    "no output": (put_main(*ADD, "outputs", []), "makes 1 outputs; got ()"),
    "floats into an embedding": (put_main(*EMBED, "inputs", ["e"]), "was written before"),
    "integers into a linear": (put_main(*CONV, "inputs", ["token"]), "takes float inputs"),
    "a missing param": (put_main(*LINEAR, "params", {}), "has the params ['weight']"),
    "a param of another op": (put_main(*ADD, "params", {"weight": "w"}), "has the params []"),
    "a param that is no tensor": (
        put_main(*LINEAR, "params", "weight", "x"),
        "node 6 (linear): weight is a tensor of the file; got 'x'",
    ),
    "a param of integers": (put_main(*LINEAR, "params", "weight", "whole"), "float32 or float64"),
    "a param of halves": (put_main(*LINEAR, "params", "weight", "half"), "got 'float16'"),
    "two dtypes": (
        put_main(*LINEAR, "params", "weight", "double"),
        "'double' is of the same dtype as",
    ),
    "a param of another rank": (put_main(*LINEAR, "params", "weight", "b"), "has 2 axes"),
    "a param of another width": (put_main(*LINEAR, "params", "weight", "w"), "shape (7, 7); got"),
    "an empty param": (put_main(*EMBED, "params", "weight", "empty"), "none of them empty"),
    "a bias of another width": (put_main(*LINEAR, "params", "bias", "b"), "bias has shape (2,)"),
    "a norm of another width": (put_main(*NORM, "params", "weight", "head"), "has shape (7,)"),
    "no eps": (put_main(*NORM, "attrs", {}), "has the attrs ['eps']"),
    "an unknown attr": (put_main(*ADD, "attrs", {"code": "1"}), "has the attrs []"),
    "eps is text": (put_main(*NORM, "attrs", "eps", "1"), "eps is a number that float32"),
    "eps is true": (put_main(*NORM, "attrs", "eps", True), "eps is a number that float32"),
    "eps is negative": (put_main(*NORM, "attrs", "eps", -1e-5), "eps is a number from 0"),
    "a number that overflows": (
        node("scale", attrs={"factor": 1e300, "shift": 0}),
        "factor is a number that float32 can hold",
    ),
    "an integer that overflows": (
        node("scale", attrs={"factor": HUGE, "shift": 0}),
        "factor is a number that float32 can hold",
    ),
    "how is unknown": (put_main(*MEAN, "attrs", "how", "sum"), "how is one of max, mean"),
    "how is a list": (put_main(*MEAN, "attrs", "how", ["max"]), "how is one of max, mean"),
    "no dilation": (put_main(*CONV, "attrs", "dilation", 0), "dilation is an integer from 1"),
    "dilation is a float": (put_main(*CONV, "attrs", "dilation", 1.0), "an integer from 1"),
    "dilation of terabytes": (
        put_main(*CONV, "attrs", "dilation", (1 << 31) - 1),
        "state 'taps' has shape (4294967294, 5)",
    ),
    "dilation over 31 bits": (put_main(*CONV, "attrs", "dilation", HUGE), "below 2**31"),
    "a slice over the end": (
        node("slice", attrs={"axis": "last", "start": 0, "stop": 8}),
        "start < stop within an axis",
    ),
    "an empty slice": (
        node("slice", attrs={"axis": "last", "start": 2, "stop": 2}),
        "start < stop within an axis",
    ),
    "a slice from the end": (
        node("slice", attrs={"axis": "last", "start": -1, "stop": 2}),
        "start is an integer from 0",
    ),
    "a slice of time": (
        node("slice", attrs={"axis": "first", "start": 0, "stop": 1}),
        "that is no time",
    ),
    "a slice of another axis": (
        node("slice", attrs={"axis": 1, "start": 0, "stop": 1}),
        "axis is one of first, last",
    ),
    "a reshape of time": (node("reshape", attrs={"shape": [7]}), "without an axis of time"),
    "a reshape that grows": (
        both(fixed(4), node("reshape", ["given"], attrs={"shape": [5]})),
        "a value of shape (4,) keeps its size; got (5,)",
    ),
    "a reshape to what is left": (
        both(fixed(4), node("reshape", ["given"], attrs={"shape": [-1]})),
        "shape is at most 8 integers from 1",
    ),
    "a reshape to a number": (
        both(fixed(4), node("reshape", ["given"], attrs={"shape": 4})),
        "shape is at most 8 integers from 1",
    ),
    "a repeat of time": (node("repeat", attrs={"n": 2}), "without an axis of time"),
    "a repeat of nothing": (
        both(fixed(4), node("repeat", ["given"], attrs={"n": 0})),
        "n is an integer from 1",
    ),
    "shapes that do not broadcast": (
        both(fixed(4), node("add", ["n", "given"])),
        "shapes that broadcast",
    ),
    "time that would come second": (
        both(fixed(2, 1, 1), node("add", ["n", "given"])),
        "time stays the first axis",
    ),
    "time as an axis of features": (node("softmax", ["token"]), "takes float inputs; got ['int']"),
    "a softmax over time": (
        both(
            put_main(
                "inputs",
                [
                    {"name": "token", "shape": ["T"], "kind": "int"},
                    *({"name": "given", "shape": ["T"], "kind": "float"},),
                ],
            ),
            node("softmax", ["given"]),
        ),
        "the last axis has a fixed size",
    ),
    "a concat of other rows": (
        both(fixed(3, 7), node("concat", ["n", "given"])),
        "equal shapes but for the last axis",
    ),
    "a concat of scalars": (
        both(fixed(), node("concat", ["given"])),
        "equal shapes but for the last axis",
    ),
    "a pool without time": (both(fixed(4), node("last", ["given"])), "a value of shape (T, F)"),
    "a convolution of three axes": (
        both(fixed(2, 3, 5), put_main(*CONV, "inputs", ["given"])),
        "a value of shape (T, F)",
    ),
    "a constant that is empty": (node("constant", [], params={"value": "empty"}), "sizes from 1"),
    "an attention of another width": (
        both(fixed(4), node("attention", ["given", "n", "n"], ["c", "a"], {"v": "b"})),
        "query (..., A), keys (T, A), values (T, V)",
    ),
    "an attention of time to time": (
        node("attention", ["n", "n", "n"], ["c", "a"], {"v": "b"}),
        "without an axis of time",
    ),
    "an attention of many to time": (
        both(fixed(3, 7), node("attention", ["given", "n", "n"], ["c", "a"], {"v": "b"})),
        "one query where the keys have an axis of time",
    ),
    "an attention over other values": (
        both(fixed(5, 7), node("attention", ["n", "n", "given"], ["c", "a"], {"v": "b"})),
        "query (..., A), keys (T, A), values (T, V)",
    ),
}
CELL_RULES = {
    "no tape": (put_main(*CELL, "attrs", {}), "has the attrs ["),
    "another tape": (cell(tape=2), "tape is one of the file's 2; got 2"),
    "a tape from the end": (cell(tape=-1), "tape is an integer from 0"),
    "a tape by name": (cell(tape="RNN"), "tape is an integer from 0"),
    "tape is true": (cell(tape=True), "tape is an integer from 0"),
    "a huge tape": (cell(tape=HUGE), "tape is an integer from 0"),
    "reverse is a number": (cell(reverse=1), "reverse is true or false"),
    "zoneout for too many": (cell(zoneout=[0.1, 0.1]), "a share for each of 1 states"),
    "zoneout over 1": (cell(zoneout=[1.5]), "numbers from 0 to 1"),
    "zoneout is text": (cell(zoneout=["0"]), "numbers from 0 to 1"),
    "zoneout is a number": (cell(zoneout=0.5), "numbers from 0 to 1"),
    "a tape that wants more": (cell(tape=1), "has the params ['w', 'weight_ih']"),
    "no matrix of the input": (
        drop(*MAIN, *CELL, "params", "weight_ih"),
        "has the params ['weight_ih']",
    ),
    "no recurrent matrix": (drop(*MAIN, *CELL, "params", "weight_hh"), "has weight_hh"),
    "a matrix for another input": (
        put_main(*CELL, "params", "weight_ih", "u"),
        "weight_ih has shape (7, 6); got (7, 7)",
    ),
    "a recurrent matrix of others": (
        put_main(*CELL, "params", "weight_hh", "w"),
        "weight_hh has shape (7, 7); got (7, 6)",
    ),
    "a bias of others": (put_main(*CELL, "params", "bias_hh", "head"), "bias_hh has shape (7,)"),
    "a projection of others": (put_main(*CELL, "params", "weight_hr", "w"), "weight_hr has shape"),
    "a projection to other states": (
        both(put_main(*CELL, "params", "weight_hr", "narrow")),
        "weight_hh has shape (7, 3)",
    ),
    "a cube": (put_main(*CELL, "params", "weight_ih", "cube"), "weight_ih has 2 axes"),
    "gates that do not divide": (
        both(put("tapes", 0, "gates", ["n", "m"]), put_main(*CELL, "params", "bias_ih", "b")),
        "weight_ih has rows for each of 2 gates",
    ),
    "one more input": (put_main(*CELL, "inputs", ["k", "k"]), "0 further inputs; got 1"),
    "raw of another width": (put("tapes", 0, "inputs", ["raw"]), "inputs of its 7 units"),
    "a param called as a weight": (
        put("tapes", 0, "params", ["weight_hh"]),
        "a tape's parameter is called otherwise",
    ),
    "an endless loop": (
        both(
            fixed(1 << 19, 6),
            *[tape("update", f"r{k} = copy 1.0") for k in range(8)],
            node(
                "cell",
                ["given"],
                params={"weight_ih": "w", "weight_hh": "u"},
                states=["h0"],
                attrs={"tape": 0},
            ),
        ),
        "at most 4194304 instructions a row and step",
    ),
}
TAPE_RULES = {
    "a tape is a list": (put("tapes", 0, []), "tape 0: tape: has the keys"),
    "a tape is text": (put("tapes", 0, "RNN"), "tape 0: tape: has the keys"),
    "a tape with code": (put("tapes", 0, "code", "x"), "tape 0: tape: has the keys"),
    "a later tape": (put("tapes", 0, "version", 2), "tape 0: tape: version 1; got 2"),
    "an unknown section": (put("tapes", 0, "sections", {"init": []}), "sections: are among"),
    "no state": (put("tapes", 0, "state", []), "state: at least one"),
    "a gate by a keyword": (put("tapes", 0, "gates", ["lambda"]), "a name is an identifier"),
    "a private gate": (put("tapes", 0, "gates", ["__class__"]), "a name is an identifier"),
    "a gate twice": (put("tapes", 0, "gates", ["n", "n"]), "no name stands twice"),
    "too many gates": (
        put("tapes", 0, "gates", [f"g{k}" for k in range(65)]),
        "at most 64 names",
    ),
    "a line without an op": (tape("update", "r0 = "), "is 'place = op operand ...'"),
    "a line of code": (tape("update", "__import__('os').system('id')"), "is 'place = op"),
    "an unknown instruction": (tape("update", "r0 = exec s.h"), "of the closed set; got 'exec'"),
    "an operand of nothing": (tape("update", "r0 = tanh r7"), "an operand was written before"),
    "a register too far": (tape("update", "r512 = copy 1.0"), "writes one of"),
    "a huge register": (tape("update", f"r{HUGE} = copy 1.0"), "writes one of"),
    "a negative register": (tape("update", "r-1 = copy 1.0"), "writes one of"),
    "a state of nobody in a tape": (tape("update", "new.c = copy s.h"), "writes one of"),
    "a state twice in a tape": (tape("update", "new.h = copy s.h"), "each result is written once"),
    "no new state": (put("tapes", 0, "sections", "update", []), "writes every result"),
    "one operand too many": (tape("update", "r0 = tanh s.h s.h"), "tanh has 1 operands; got 2"),
    "a number that is not finite": (tape("update", "r0 = copy 1e999"), "numbers are finite"),
    "a number spelled otherwise": (tape("update", "r0 = copy 1.00"), "spelled as Python's repr"),
    "a product of no gate": (tape("update", "u1 = project s.h"), "a product has a vector"),
    "a product of an unknown gate": (tape("update", "u1 = project s.h q"), "gates of"),
    "products out of order": (tape("update", "u5 = project s.h n"), "the next product is u1"),
    "a mean of a number": (tape("update", "w0 = mean 1.0"), "mean takes one value a unit"),
    "a row from units": (tape("update", "w0 = copy s.h"), "one value a row comes from"),
    "a parameter that is not there": (tape("update", "r0 = copy p.w"), "was written before"),
    "too many instructions": (
        put("tapes", 0, "sections", "update", ["r0 = copy 1.0"] * 513),
        "at most 512 instructions",
    ),
    "far too many lines": (
        put("tapes", 0, "sections", "update", ["r0 = copy 1.0"] * 10**5),
        "entries; got 100000",
    ),
    "a long line": (tape("update", "r0 = add " + "s.h " * 10**5), "is 'place = op"),
    "a hostile backward half": (
        put("tapes", 0, "sections", "backward update", ["dx.n = copy 1.0"]),
        "backward update: writes every result",
    ),
}
RULES = {**NODE_RULES, **CELL_RULES, **TAPE_RULES}
