"""What the compiled engine refuses, before it looks at any array: here all addresses are 0."""

import pytest

from elman_runtime import native
from elman_runtime.tape import from_text
from elman_runtime.tape.lower import lower

TAPE = from_text(
    """\
elman tape 1
name Two
gates a
recurrent a
state h c
params w
inputs dt
update
  u0 = project s.h a+
  r0 = mul u0.a p.w
  new.h = tanh r0
  new.c = mul s.c x.dt
"""
)
NONE = "arrays are not those that the plan needs"


@pytest.fixture
def common():
    """What both directions take: T, B, H, P; x, U and so on; inputs, params, states, ..."""
    two = [0, 0]
    sizes, arrays = (4, 3, 5, 5, False, 1), (0, 8, 0, 0, 0, 0, 0)
    outputs = (0, 0, 0, two, [], two)
    return [native.plan(lower(TAPE)), "", sizes, arrays, [(0, True)], [0], two, [], [], outputs]


@pytest.fixture
def back():
    """What a backward pass takes besides: dy, dx, dsums, dprojected, and six lists by state."""
    two = [0, 0]
    return [(0, 0, 0, 0, two, two, two, [], [], two), [0], [0]]


# Position, and what is put there.
WRONG = {
    "an input too few": (4, []),
    "a parameter too many": (5, [0, 0]),
    "a state too few": (6, [0]),
    "a start too few": (7, [0]),
    "zoneout for one state of two": (8, [(0.5, 0)]),
    "states of too many": (9, (0, 0, 0, [0] * 3, [], [0, 0])),
    "fresh ones of too few": (9, (0, 0, 0, [0, 0], [0], [0, 0])),
    "final ones of too few": (9, (0, 0, 0, [0, 0], [], [0])),
    "no steps": (2, (0, 3, 5, 5, False, 1)),
    "fewer rows than none": (2, (4, -1, 5, 5, False, 1)),
    "no units": (2, (4, 3, 0, 0, False, 1)),
    "P above H": (2, (4, 3, 5, 6, False, 1)),
    "no thread": (2, (4, 3, 5, 5, False, 0)),
    "no U": (3, (0, 0, 0, 0, 0, 0, 0)),
    "resets and no start": (3, (0, 8, 0, 0, 0, 8, 0)),
}


@pytest.mark.parametrize(("place", "value"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("double", [False, True])
def test_arrays_that_the_plan_does_not_need(double, place, value, common, back):
    common[place] = value
    with pytest.raises(ValueError, match=NONE):
        native.forward(double, *common)
    with pytest.raises(ValueError, match=NONE):
        native.backward(double, *common, *back)


@pytest.mark.parametrize("place", [4, 5, 6, 8, 9])
def test_gradients_of_too_few_states(place, common, back):
    up = list(back[0])
    up[place] = [0]
    with pytest.raises(ValueError, match=NONE):
        native.backward(True, *common, tuple(up), *back[1:])


@pytest.mark.parametrize("place", [1, 2])
def test_gradients_of_too_few_inputs_or_parameters(place, common, back):
    back[place] = []
    with pytest.raises(ValueError, match=NONE):
        native.backward(True, *common, *back)


PLAIN = from_text(
    """\
elman tape 1
name One
gates a
recurrent a
state h
update
  u0 = project s.h a+
  new.h = tanh u0.a
"""
)
# T, B, H, I and so on; x, W, U, b_ih, b_hh, state, y, kept, and then W x and the final state.
SIZES, FORWARD = (4, 3, 5, 2, False, False, 1, 0), [8, 8, 8, 0, 0, 0, 8, 8, 0, 8]
WRONG_PLAIN = {
    "an array too few": (PLAIN, SIZES, FORWARD[:-1]),
    "an array too many": (PLAIN, SIZES, [*FORWARD, 8]),
    "no x": (PLAIN, SIZES, [0, *FORWARD[1:]]),
    "no W": (PLAIN, SIZES, [8, 0, *FORWARD[2:]]),
    "no U": (PLAIN, SIZES, [8, 8, 0, *FORWARD[3:]]),
    "no output": (PLAIN, SIZES, [*FORWARD[:6], 0, *FORWARD[7:]]),
    "no rows": (PLAIN, (4, 0, 5, 2, False, False, 1, 0), FORWARD),
    "no steps": (PLAIN, (0, 3, 5, 2, False, False, 1, 0), FORWARD),
    "no units": (PLAIN, (4, 3, 0, 2, False, False, 1, 0), FORWARD),
    "an input of no width": (PLAIN, (4, 3, 5, 0, False, False, 1, 0), FORWARD),
    "no thread": (PLAIN, (4, 3, 5, 2, False, False, 0, 0), FORWARD),
    "a cell with further inputs": (TAPE, SIZES, [8, 8, 8, 0, 0, 8, 8, 8, 8, 8, 0, 8, 8]),
}


@pytest.mark.parametrize(("tape", "sizes", "arrays"), WRONG_PLAIN.values(), ids=WRONG_PLAIN)
@pytest.mark.parametrize("double", [False, True])
def test_arrays_that_a_plain_call_does_not_need(double, tape, sizes, arrays):
    plan = native.plan(lower(tape))
    with pytest.raises(ValueError, match=NONE):
        native.plain_forward(double, plan, "", sizes, arrays)
    with pytest.raises(ValueError, match=NONE):
        native.plain_backward(double, plan, "", sizes, arrays)


def test_an_unknown_instruction_set(common, back):
    common[1] = "sse9"
    for run, given in ((native.forward, common), (native.backward, [*common, *back])):
        with pytest.raises(ValueError, match="there is none of that name"):
            run(True, *given)
    with (
        pytest.raises(ValueError, match="name: must be one of"),
        native.use_instruction_set("sse9"),
    ):
        pass


def _break(lowered, part, wrong):
    if part == "slots":
        space, _, narrow = lowered.slots[0]
        lowered.slots[0] = (space, wrong, narrow)
    elif part == "sections":
        op, to, _, *others = lowered.sections[1][1]
        lowered.sections[1][1] = (op, to, wrong, *others)
    elif part == "counts":
        lowered.counts[0] = wrong
    else:
        lowered.products[0] = lowered.products[0]._replace(vector=wrong)


@pytest.mark.parametrize("wrong", [-1, 10**6, 2**31 - 1])
@pytest.mark.parametrize("part", ["slots", "sections", "counts", "products"])
def test_plans_with_a_number_out_of_range(part, wrong):
    lowered = lower(TAPE)
    _break(lowered, part, wrong)
    with pytest.raises(ValueError, match="Plan: "):
        native.plan(lowered)


@pytest.mark.parametrize("part", ["sections", "counts"])
def test_plans_that_lack_a_part(part):
    lowered = lower(TAPE)
    getattr(lowered, part).pop()
    with pytest.raises(ValueError, match="one count for each space and 7 sections"):
        native.plan(lowered)
