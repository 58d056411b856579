"""Nothing in a tape is trusted: each rule has a tape that breaks it."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman_runtime import ModelFileError
from elman_runtime.tape import Tape, checked, from_json, from_text

TEXT = """\
elman tape 1
name Sound
gates a b
recurrent a b
state h c
params w
inputs dt
outputs H 1
names gate=v0 mean=w1
prologue
  r0 = exp p.w
  f0 = sub 1.0 r0
  start.h = copy f0
  start.c = copy 0.5
update
  u0 = project s.h a+
  v0 = sigmoid u0.a
  v2 = mul v0 s.c
  u1 = project v2 b
  w1 = mean x.b
  r0 = mul x.dt u1.b
  r0 = add r0 f0
  new.h = tanh r0
  new.c = add w1 s.c
read
  y0 = mul final.h p.w
  y1 = mean final.c
backward prologue
  f1 = neg f0
backward read
  dfinal.h = mul dy0 p.w
  dfinal.c = copy dy1
  g0 = mul dy0 final.h
backward update
  r0 = dtanh dnew.h new.h
  du1.b = mul r0 x.dt
  t1 = unproject du1.b
  r1 = mul t1 s.c
  dx.a = dsigmoid r1 v0
  q0 = mean dnew.c
  dx.b = copy q0
  dx.dt = mul r0 f1
  t0 = unproject dx.a
  ds.h = copy t0
  r2 = mul t1 v0
  ds.c = add dnew.c r2
  g1 = copy r0
backward epilogue
  r0 = exp p.w
  r1 = mul g1 r0
  r1 = sub g0 r1
  dp.w = add r1 dstart.h
"""
SOUND = from_text(TEXT).to_json()


def test_the_sound_tape_is_sound():
    tape = from_json(SOUND)
    assert str(tape) == TEXT
    assert tape.stages == 2
    assert not tape.is_scan
    assert tape.needs_whole_rows
    assert not tape.takes_projection
    assert (tape.count("v"), tape.count("w"), tape.count("f"), tape.count("g")) == (3, 2, 2, 2)


def header(**changes):
    return {**SOUND, **changes}


def line(section, number, *new):
    """The sound tape with an instruction replaced by others, or left out."""
    broken = copy.deepcopy(SOUND)
    broken["sections"][section][number : number + 1] = new
    return broken


def sections(**changes):
    return {**SOUND, "sections": {**SOUND["sections"], **changes}}


LONG = "x" * 65
HOSTILE = {
    "no mapping": ([], "has the keys"),
    "a key missing": ({"version": 1}, "has the keys"),
    "a key more": (header(more=1), "has the keys"),
    "another version": (header(version=2), "version 1; got 2"),
    "version true": (header(version=True), "version 1; got True"),
    "sections a list": (header(sections=[]), "sections: are among"),
    "unknown section": (sections(sideways=[]), "sections: are among"),
    "section a text": (sections(update="r0 = copy 1.0"), "a list of strings"),
    "instruction a number": (sections(update=[1]), "a list of strings"),
    "many lines": (sections(update=["r0 = copy 1.0"] * 2000), "at most 1056 entries"),
    "513 instructions": (sections(read=["r0 = copy 1.0"] * 513), "at most 512 instructions"),
    "name a number": (header(name=1), "name: a name is an identifier"),
    "name too long": (header(name=LONG), "at most 64 characters"),
    "name a path": (header(name="../x"), "a name is an identifier"),
    "keyword": (header(gates=["a", "if"]), "a name is an identifier"),
    "private": (header(gates=["a", "_b"]), "a name is an identifier"),
    "twice": (header(state=["h", "h"]), "no name stands twice"),
    "65 names": (header(params=[f"p{k}" for k in range(65)]), "at most 64 names"),
    "no state": (header(state=[]), "state: at least one"),
    "gate and input": (header(inputs=["a"]), "differ from the gates; got a"),
    "outputs": (header(outputs=["H", "2"]), "each is 'H' or '1'"),
    "many outputs": (header(outputs=["H"] * 65), "outputs: at most 64"),
    "an output unwritten": (header(outputs=["H", "1", "H"]), "read: writes every result; got none"),
    "named nowhere": (header(names=["gate=v9"]), "a named value is written; got 'gate=v9'"),
    "named without a name": (header(names=["=v0"]), "a name of its own"),
    "named twice": (header(names=["a=v0", "a=v0"]), "a name of its own"),
    "no instruction": (line("update", 4, "mean x.b"), "is 'place = op operand ...'"),
    "two spaces": (line("update", 4, "w1 = mean  x.b"), "is 'place = op operand ...'"),
    "no operands": (line("update", 4, "w1 = mean"), "is 'place = op operand ...'"),
    "unknown op": (line("update", 4, "w1 = median x.b"), "of the closed set; got 'median'"),
    "python": (line("update", 4, "w1 = __import__ x.b"), "of the closed set"),
    "one operand too many": (line("update", 4, "w1 = mean x.b x.b"), "mean has 1 operands; got 2"),
    "one too few": (line("update", 6, "r0 = add r0"), "add has 2 operands; got 1"),
    "NaN": (line("prologue", 3, "start.c = copy nan"), "an operand was written before; got 'nan'"),
    "infinite": (line("prologue", 3, "start.c = copy 1e999"), "numbers are finite"),
    "minus infinity": (line("prologue", 3, "start.c = copy -inf"), "numbers are finite"),
    "another spelling": (
        line("prologue", 3, "start.c = copy 0.50"),
        "numbers are finite, and spell",
    ),
    "read before written": (line("update", 5, "r0 = mul x.dt r7"), "written before; got 'r7'"),
    "register of another section": (line("read", 0, "y0 = mul final.h r0"), "written before"),
    "product before": (line("update", 0), "written before; got 'u0.a'|writes every result"),
    "product as a whole": (line("update", 1, "v0 = sigmoid u0"), "written before; got 'u0'"),
    "gate of no product": (line("update", 1, "v0 = sigmoid u0.b"), "written before"),
    "unknown gate": (line("update", 4, "w1 = mean x.c"), "written before; got 'x.c'"),
    "unknown state": (line("update", 8, "new.d = add w1 s.c"), "as the cell has them; got 'new.d'"),
    "unknown parameter": (line("read", 0, "y0 = mul final.h p.v"), "written before; got 'p.v'"),
    "negative register": (line("update", 5, "r-1 = mul x.dt u1.b"), "writes one of"),
    "huge register": (
        line("update", 5, "r512 = mul x.dt u1.b"),
        "as the cell has them; got 'r512'",
    ),
    "huger": (line("update", 5, f"r{2**64} = mul x.dt u1.b"), "writes one of"),
    "leading zero": (line("update", 5, "r00 = mul x.dt u1.b"), "writes one of"),
    "other digits": (line("update", 5, "r\u0663 = mul x.dt u1.b"), "writes one of"),
    "a state unwritten": (line("update", 8), "update: writes every result; got none for new.c"),
    "a state twice": (line("update", 8, "new.c = copy s.c", "new.c = copy s.c"), "written once"),
    "saved twice": (line("update", 2, "v0 = mul v0 s.c"), "each result is written once"),
    "output twice": (line("read", 1, "y1 = mean final.c", "y1 = mean final.c"), "written once"),
    "writes an input": (line("update", 4, "x.b = mean x.b"), "writes one of"),
    "writes a parameter": (line("update", 4, "p.w = mean x.b"), "writes one of"),
    "writes the old state": (line("update", 8, "s.c = add w1 s.c"), "writes one of"),
    "state in the prologue": (line("prologue", 1, "f0 = sub 1.0 s.h"), "reads .*; got s.h"),
    "half a start": (line("prologue", 3), "writes every result; got none for start.c"),
    "product in the prologue": (line("prologue", 0, "u0 = project p.w a"), "writes one of"),
    "wide from narrow": (line("update", 4, "w1 = mul x.b x.b"), "comes from values a row"),
    "mean of a mean": (line("read", 1, "y1 = mean w1"), "mean takes one value a unit"),
    "mean to a unit": (line("update", 4, "r1 = mean x.b", "w1 = copy 1.0"), "mean takes one value"),
    "narrow output": (line("read", 1, "y1 = copy final.c"), "comes from values a row"),
    "gate read beside its product": (
        line("update", 4, "w1 = mean x.a"),
        "written before; got 'x.a'",
    ),
    "gate read before it": (
        line("update", 0, "r0 = copy x.a", SOUND["sections"]["update"][0]),
        "alone",
    ),
    "product of a number": (line("update", 0, "u0 = project 1.0 a+"), "of one saved value a unit"),
    "product of a register": (
        line("update", 3, "r0 = copy v2", "u1 = project r0 b"),
        "saved value",
    ),
    "product of a row": (line("update", 3, "w0 = copy 1.0", "u1 = project w0 b"), "saved value"),
    "product out of turn": (line("update", 3, "u2 = project v2 b"), "the next product is u1"),
    "product without gates": (line("update", 3, "u1 = project v2"), "a vector and gates"),
    "product of a strange gate": (line("update", 3, "u1 = project v2 c"), "gates of"),
    "product of a gate twice": (line("update", 3, "u1 = project v2 b b"), "gates of"),
    "gate added twice": (line("update", 3, "u1 = project v2 a+"), "read by it alone"),
    "gradient of a gate missing": (line("backward update", 6), "got none for dx.b"),
    "gradient of a state missing": (line("backward update", 9), "got none for ds.h"),
    "gradient of a parameter missing": (line("backward epilogue", 3), "got none for dp.w"),
    "gradient of a final state missing": (line("backward read", 1), "got none for dfinal.c"),
    "unproject missing": (line("backward update", 8), "written before; got 't0'"),
    "unproject of nothing": (
        line("backward update", 8, "t2 = unproject dx.a"),
        "of product k is tk",
    ),
    "unproject of one more": (line("backward update", 8, "t0 = unproject dx.a dx.b"), "1 gates"),
    "unproject of another": (line("backward update", 8, "t0 = unproject dx.b"), "dx.a or du0.a"),
    "unproject too soon": (line("backward update", 2, "t1 = unproject dx.b"), "written before"),
    "du of no gate": (line("backward update", 1, "du1.a = mul r0 x.dt"), "as the cell has them"),
    "du of no product": (line("backward update", 1, "du7.b = mul r0 x.dt"), "as the cell has them"),
    "a gate in the derivative": (line("backward update", 3, "r1 = mul t1 x.b"), "written before"),
    "a sum is read": (line("backward update", 10, "r2 = mul g0 v0"), "reads .*; got g0"),
    "a sum twice": (line("backward update", 12, "g0 = copy r0"), "each result is written once"),
    "seed of no output": (line("backward read", 0, "dfinal.h = mul dy2 p.w"), "written before"),
    "u is not for copying": (line("update", 0, "u0 = copy s.h"), "written by a product with U"),
    "t is not for copying": (line("backward update", 8, "t0 = copy dx.a"), "a product with U"),
}


@pytest.mark.parametrize(("tape", "message"), HOSTILE.values(), ids=HOSTILE)
def test_what_breaks_a_rule_is_refused(tape, message):
    with pytest.raises(ModelFileError, match=message) as caught:
        from_json(tape, "m.safetensors")
    assert str(caught.value).startswith("m.safetensors: ")
    assert len(str(caught.value)) < 1000


def test_the_message_has_the_instruction_the_rule_and_the_repair():
    with pytest.raises(ModelFileError) as caught:
        from_json(line("update", 5, "r0 = mul x.dt r7"), "m.safetensors")
    assert str(caught.value) == (
        "m.safetensors: update instruction 5 ('r0 = mul x.dt r7'): an operand was written before; "
        "got 'r7'; trace the cell again, or copy the file again"
    )


def test_a_tape_made_by_hand_is_checked_too():
    sound = from_json(SOUND)
    assert checked(sound) is sound
    broken = Tape(**{**vars(sound), "state": ("h",)})
    with pytest.raises(ModelFileError, match=r"as the cell has them; got 'start.c'"):
        checked(broken)


TEXTS = {
    "empty": "",
    "one line": "elman tape 1\n",
    "another title": TEXT.replace("elman tape 1", "elman tape 2"),
    "no name": TEXT.replace("name Sound", "gates a"),
    "tabs": TEXT.replace("  r0 = exp", "\tr0 = exp"),
    "an empty section": TEXT.replace("backward epilogue\n", "backward epilogue\n\n"),
    "no last line end": TEXT[:-1],
    "carriage returns": TEXT.replace("\n", "\r\n"),
    "headers in another order": TEXT.replace(
        "gates a b\nrecurrent a b\n", "recurrent a b\ngates a b\n"
    ),
    "a header below": TEXT + "gates a b\n",
    "a header without entries": TEXT.replace("params w", "params "),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_tape_has_one_text(text):
    with pytest.raises(ModelFileError):
        from_text(text)


WORDS = """
r0 r1 q0 v0 w1 f0 u0 u0.a u1.b x.a x.b x.dt s.h new.h new.c t0 t1 dx.a ds.h g0 y0 p.w 1.0
project unproject mean add copy where a b a+ = final.h dnew.h
"""
TOKENS = st.sampled_from(WORDS.split())


@given(
    st.sampled_from(list(SOUND["sections"])),
    st.integers(0, 12),
    st.lists(st.tuples(TOKENS, TOKENS, st.lists(TOKENS, min_size=1, max_size=4)), max_size=3),
)
def test_changed_at_random_it_is_refused_by_the_one_error_or_sound(section, at, new):
    lines = [f"{to} = {op} {' '.join(of)}" for to, op, of in new]
    try:
        tape = from_json(line(section, at, *lines))
    except ModelFileError:
        return
    assert from_text(str(tape)) == tape
