"""Lowering: every name of a tape becomes the number of what it stands for."""

import pytest

from elman_runtime import native
from elman_runtime.tape import from_text
from elman_runtime.tape.form import SECTIONS
from elman_runtime.tape.lower import OPS, SPACES, Column, lower
from elman_runtime.tape.vocabulary import OPS as VOCABULARY

GRU = from_text(
    """\
elman tape 1
name GRU
gates r z n
recurrent r z n
state h
update
  u0 = project s.h r+ z+ n
  v0 = sigmoid u0.r
  v1 = sigmoid u0.z
  v2 = copy u0.n
  r0 = mul v0 u0.n
  r0 = add x.n r0
  v3 = tanh r0
  r0 = sub s.h v3
  r0 = mul v1 r0
  new.h = add v3 r0
backward update
  r0 = mul v1 dnew.h
  r1 = sub dnew.h r0
  dx.n = dtanh r1 v3
  r1 = mul v2 dx.n
  dx.r = dsigmoid r1 v0
  r1 = sub s.h v3
  r1 = mul r1 dnew.h
  dx.z = dsigmoid r1 v1
  du0.n = mul v0 dx.n
  t0 = unproject dx.r dx.z du0.n
  ds.h = add r0 t0
"""
)
# Two products, of which the second reads what the first gave; one value a row; two outputs.
STAGED = from_text(
    """\
elman tape 1
name Staged
gates a b
recurrent c a
state h k
params w
inputs dt
outputs 1 H
prologue
  f0 = exp p.w
  start.h = copy 0.25
  start.k = copy 0.5
update
  u0 = project s.h a+
  v0 = tanh u0.a
  u1 = project v0 c
  w0 = mean u1.c
  r0 = sub x.b w0
  new.h = mul r0 f0
  r1 = where 1.0 w0 0.5
  new.k = mul r1 x.dt
read
  y0 = mean final.h
  y1 = mul final.k 0.5
"""
)


def listed(tape, section="update"):
    """The instructions of a section as (operation, places): the inverse of lowering."""
    plan = lower(tape)

    def place(slot):
        space, index, narrow = plan.slots[slot]
        return f"{SPACES[space]}{index}" + ("'" if narrow else "")

    lines = []
    for op, to, *of in plan.sections[list(SECTIONS).index(section)]:
        name = OPS[op]
        if name in ("project", "unproject"):
            lines.append(f"{name} {to}")
            continue
        arity = 1 if name == "spread" else VOCABULARY[name].arity
        lines.append(" ".join([place(to), name, *map(place, of[:arity])]))
    return lines


def test_the_operations_are_those_of_tapes_and_two_more():
    assert set(OPS) == {*VOCABULARY, "spread", "project", "unproject"}
    assert len(set(OPS)) == len(OPS)
    assert len(set(SPACES)) == len(SPACES)


def test_columns_are_the_gates_of_x_and_what_differs_under_u():
    assert lower(GRU).columns == (
        Column("r", True, 0),
        Column("z", True, 0),
        Column("n", True, None),
        Column("n", False, 0),
    )
    assert lower(STAGED).columns == ()


def test_an_instruction_keeps_its_operation_and_order():
    assert listed(GRU)[:4] == ["project 0", "v0 sigmoid u0", "v1 sigmoid u1", "v2 copy u2"]
    assert listed(GRU)[-1] == "fresh0 add v3 r0"
    back = listed(GRU, "backward update")
    assert back[2] == "dx2 dtanh r1 v3"
    assert back[-3:] == ["dx3 mul v0 dx2", "unproject 0", "ds0 add r0 t0"]


def test_products_say_which_rows_of_u_go_where():
    plan = lower(GRU)
    (product,) = plan.products
    assert plan.slots[product.vector] == (SPACES.index("s"), 0, False)
    assert (product.first_u, product.gates, product.added) == (0, [0, 1, 2], [0, 1, -1])
    assert [plan.slots[d] for d in product.d] == [(SPACES.index("dx"), k, False) for k in (0, 1, 3)]
    assert plan.slots[product.t] == (SPACES.index("t"), 0, False)


def test_a_second_product_follows_the_first():
    plan = lower(STAGED)
    first, second = plan.products
    assert (first.first_u, first.gates, first.added, first.d) == (0, [1], [0], [])
    assert (second.first_u, second.gates, second.added) == (1, [0], [-1])
    assert plan.slots[second.vector] == (SPACES.index("v"), 0, False)


def test_one_value_a_row_is_spread_where_one_a_unit_is_needed():
    registers = STAGED.count("r")
    assert listed(STAGED)[4:] == [
        f"r{registers + 1} spread w0'",
        f"r0 sub x1 r{registers + 1}",
        "fresh0 mul r0 f0",
        f"r{registers + 1} spread w0'",
        f"r1 where number2 r{registers + 1} number1",
        "fresh1 mul r1 input0",
    ]
    assert listed(STAGED, "read") == ["y0' mean final0", "y1 mul final1 number1"]


def test_equal_numbers_stand_once():
    assert lower(STAGED).numbers == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("tape", [GRU, STAGED], ids=lambda t: t.name)
def test_every_index_lies_below_its_count(tape):
    plan = lower(tape)
    counts = dict(zip(SPACES, plan.counts, strict=True))
    for space, index, _ in plan.slots:
        assert 0 <= index < counts[SPACES[space]]
    declared = {
        "x": tape.gates, "p": tape.params, "dp": tape.params, "y": tape.outputs,
        "input": tape.inputs, "dinput": tape.inputs, "dx": plan.columns,
    }  # fmt: skip
    for space, names in declared.items():
        assert counts[space] == len(names)
    for space in ("s", "fresh", "final", "start", "ds", "dnew", "dfinal", "dstart"):
        assert counts[space] == len(tape.state)
    assert counts["u"] == sum(len(p.gates) for p in plan.products)
    assert counts["r"] <= tape.count("r") + 3
    assert counts["v"] == tape.count("v")
    assert len(set(plan.slots)) == len(plan.slots)


@pytest.mark.parametrize("tape", [GRU, STAGED], ids=lambda t: t.name)
def test_the_compiled_engine_takes_it(tape):
    assert native.plan(lower(tape)) is not None
