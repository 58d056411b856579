"""Additive attention against its equations, padding, gradients, and every mistake."""

import re

import pytest
import torch

from elman.nn.attention import AdditiveAttention


def parts(batch=2, steps=3, places=5, query=4, value=6, width=7):
    torch.manual_seed(0)
    attention = AdditiveAttention(query, value, width).double()
    queries = torch.randn(batch, steps, query, dtype=torch.float64, requires_grad=True)
    values = torch.randn(batch, places, value, dtype=torch.float64, requires_grad=True)
    return attention, queries, values


def test_it_computes_its_equations():
    attention, queries, values = parts()
    context, weights = attention(queries, attention.keys(values), values)
    w_q, b_q = attention.query.weight, attention.query.bias
    for b in range(2):
        for t in range(3):
            scores = torch.stack(
                [
                    attention.score.weight[0]
                    @ torch.tanh(w_q @ queries[b, t] + b_q + attention.key.weight @ values[b, s])
                    for s in range(5)
                ]
            )
            expected = torch.softmax(scores, 0)
            torch.testing.assert_close(weights[b, t], expected)
            torch.testing.assert_close(context[b, t], expected @ values[b])


def test_one_query_at_a_time_is_all_at_once():
    attention, queries, values = parts()
    keys = attention.keys(values)
    whole, _ = attention(queries, keys, values)
    steps = [attention(queries[:, t : t + 1], keys, values)[0] for t in range(3)]
    torch.testing.assert_close(torch.cat(steps, 1), whole)


@pytest.mark.parametrize("filling", [float("nan"), 123.0, float("inf")])
def test_what_stands_in_padding_has_no_influence(filling):
    attention, queries, values = parts()
    valid = torch.tensor([[True] * 5, [True, True, True, False, False]])
    filled = values.detach().clone()
    filled[1, 3:] = filling
    filled.requires_grad_()
    keys = attention.keys(filled.masked_fill(~valid[..., None], 0.0))
    context, weights = attention(queries, keys, filled, valid)
    short, _ = attention(queries[1:], attention.keys(values[1:, :3]), values[1:, :3])
    torch.testing.assert_close(context[1:], short)
    assert weights[1, :, 3:].eq(0).all()
    context.sum().backward()
    assert filled.grad[1, 3:].eq(0).all()
    assert queries.grad.isfinite().all()


def test_gradients_are_those_of_finite_differences():
    attention, queries, values = parts(batch=1, steps=2, places=3)
    valid = torch.tensor([[True, True, False]])

    def run(queries, values):
        return attention(queries, attention.keys(values), values, valid)

    assert torch.autograd.gradcheck(run, (queries, values))


def test_a_single_place_gets_all_the_weight():
    attention, queries, values = parts(places=1)
    context, weights = attention(queries, attention.keys(values), values)
    assert weights.eq(1).all()
    torch.testing.assert_close(context, values.expand(2, 3, 6))


def test_no_queries_is_legal():
    attention, queries, values = parts()
    context, weights = attention(queries[:, :0], attention.keys(values), values)
    assert (context.shape, weights.shape) == ((2, 0, 6), (2, 0, 5))


@pytest.mark.errors
@pytest.mark.parametrize(
    ("queries", "keys", "values", "words"),
    [
        ((2, 3, 4), (2, 0, 7), (2, 0, 6), "values must have at least one place"),
        ((2, 3, 4), (2, 4, 7), (2, 5, 6), "must agree in B and S; got (2, 3, 4), (2, 4, 7)"),
        ((3, 3, 4), (2, 5, 7), (2, 5, 6), "make the keys from these values"),
    ],
)
def test_mistakes_are_named(queries, keys, values, words):
    attention = AdditiveAttention(4, 6, 7)
    with pytest.raises(ValueError, match=re.escape(words)):
        attention(torch.zeros(queries), torch.zeros(keys), torch.zeros(values))


def test_the_docstring_lists_its_parameters():
    attention = AdditiveAttention(4, 6, 7)
    found = dict(re.findall(r"``([\w.]+)``\s+(\([^)]*\))", AdditiveAttention.__doc__))
    sizes = {"A": 7, "Q": 4, "M": 6, "1": 1}
    shapes = {
        name: tuple(sizes[one] for one in re.findall(r"\w+", words))
        for name, words in found.items()
    }
    assert shapes == {name: tuple(p.shape) for name, p in attention.named_parameters()}
