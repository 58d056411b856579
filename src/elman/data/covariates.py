"""Covariates: columns beside the target, as numbers on the grid of the series."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from elman.data.clock import Ticks
from elman.data.errors import shown
from elman.data.gaps import listed
from elman.data.grid import Grid, fill_between
from elman.data.numbers import MISSING, Values, is_number_like, parse_numbers
from elman.data.table import Table
from elman.data.times import is_time_like

Categories = Mapping[str, tuple[str, ...]]

UNKNOWN = 0
"""The code of a category that is not in the stored table."""
_MANY = 100


@dataclass
class Coding:
    """What text becomes: tables of categories, and what has to be said.

    - `known`: tables to read by; None while they are being made.
    - `made`: the tables, by column.
    """

    known: Categories | None = None
    made: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def checked_lists(lists: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """The lists of covariates as tuples.

    Raises:
        TypeError: one is text rather than a list of names.
        ValueError: a name occurs twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    seen: dict[str, str] = {}
    for role, names in lists.items():
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"{role} must be a list of names; got {names!r}; write ['...']")
        found[role] = tuple(names)
        for name in found[role]:
            if name in seen:
                raise ValueError(
                    f"{role} must have each column once; got {name!r} in {seen[name]} too; "
                    "leave one out"
                )
            seen[name] = role
    return found


def parse_covariate(table: Table, name: str, role: str, coding: Coding) -> Values:
    """One column: numbers, or codes of categories where it is text; NaN where it is missing.

    Raises:
        DataError: it is neither, or a number is not one.
    """
    import polars as pl

    column = table.frame[name]
    known = coding.known
    if known is None:
        text = column.dtype in (pl.String, pl.Categorical, pl.Enum) and not is_number_like(column)
    else:
        text = name in known
    if is_time_like(column) or not (text or column.dtype.is_numeric() or _parsable(column)):
        rule, repair = "a covariate is numbers or text", f"leave it out of {role}"
        raise table.refuse(f"column {name!r}", rule, str(column.dtype), repair)
    return _codes(table, name, coding) if text else parse_numbers(table, name, role)


def _parsable(column: Any) -> bool:
    import polars as pl

    return column.dtype in (pl.String, pl.Boolean, pl.Null)


def _codes(table: Table, name: str, coding: Coding) -> Values:
    """1 for the first category of the table, UNKNOWN for one that it does not have."""
    import polars as pl

    column = table.frame[name].cast(pl.String).fill_null("")
    missing = column.str.to_lowercase().is_in(MISSING)
    here = column.filter(~missing).unique().sort()
    if coding.known is None:
        coding.made[name] = tuple(here.to_list())
        if here.len() > _MANY:
            coding.warnings.append(f"{name} has {here.len():,} categories; should it be numbers?")
    else:
        coding.made[name] = tuple(coding.known[name])
        new = [value for value in here.to_list() if value not in coding.known[name]]
        if new:
            coding.warnings.append(
                f"{name}: new categories, taken as unknown: {listed(new)} "
                f"(known: {listed(coding.made[name])})"
            )
    codes = {value: k + 1.0 for k, value in enumerate(coding.made[name])}
    numbers = column.replace_strict(codes, default=float(UNKNOWN), return_dtype=pl.Float64)
    return np.where(missing.to_numpy(), np.nan, numbers.to_numpy())


def columns_of(table: Table, names: tuple[str, ...], role: str, coding: Coding) -> Values:
    """(rows, names): covariates as they stand in the table."""
    columns = [parse_covariate(table, name, role, coding) for name in names]
    return np.stack(columns, axis=1) if columns else np.zeros((table.frame.height, 0))


def align(
    table: Table, grid: Grid, names: tuple[str, ...], columns: Values, coding: Coding
) -> Values:
    """(steps, names): covariates of the rows on the grid, with what is missing filled in.

    Numbers are interpolated, categories carried on; the nearest value serves at the ends.

    Raises:
        DataError: a series has no value of a covariate at all.
    """
    found = np.full((grid.values.size, len(names)), np.nan)
    found[grid.places] = columns[grid.rows]
    for k, name in enumerate(names):
        found[:, k] = filled(table, grid, name, found[:, k], coding)
    return found


def filled(table: Table, grid: Grid, name: str, values: Values, coding: Coding) -> Values:
    """One covariate without NaN, and a warning where there was some."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    whole = fill_between(values, grid.starts, linear=name not in coding.made)
    left = np.isnan(whole)
    if left.any():
        k = int(np.searchsorted(grid.starts, left.argmax(), side="right")) - 1
        rule, repair = "each series has values of each covariate", "fill them in, or leave it out"
        came = f"none for series {grid.keys[k]!r}"
        raise table.refuse(f"column {name!r}", rule, came, repair)
    how = "the last one goes on" if name in coding.made else "interpolated"
    count, size = int(missing.sum()), missing.size
    coding.warnings.append(f"{name}: {count:,} of {size:,} values were missing; {how}")
    return whole


def static_values(
    table: Table,
    ids: tuple[str, ...],
    keys: Ticks,
    names: tuple[str, ...],
    columns: Values,
) -> Values:
    """(series, names): the one value that each series has.

    Args:
        ids: names of the series; `keys`: (rows,), which one a row is of, -1 for none of them.
        columns: (rows, names).

    Raises:
        DataError: a series has none, or several.
    """
    rows = np.flatnonzero(keys >= 0)
    order = rows[np.argsort(keys[rows], kind="stable")]
    first = order[np.flatnonzero(np.diff(keys[order], prepend=-1))]
    found = np.full((len(ids), len(names)), np.nan)
    found[keys[first]] = columns[first]
    absent = np.setdiff1d(np.arange(len(ids)), keys[first])
    if absent.size:
        lacking = listed([ids[k] for k in absent.tolist()])
        repair = "add a row for each"
        raise table.refuse("rows", "each series has a row", f"none for {lacking}", repair)
    for k, name in enumerate(names):
        _check_static(table, rows, keys, found, columns, k, name)
    return found


def _check_static(
    table: Table,
    rows: Ticks,
    keys: Ticks,
    found: Values,
    columns: Values,
    k: int,
    name: str,
) -> None:
    values = columns[rows, k]
    wrong = np.isnan(values) | (values != found[keys[rows], k])
    if wrong.any():
        row = int(rows[wrong.argmax()])
        rule = "a static covariate is there, and is the same in each row of a series"
        cell = table.frame[name][row]
        came = "an empty cell" if cell in (None, "") else shown(cell)
        repair = "mend the cell, or use hist_exog_list or futr_exog_list if it changes"
        raise table.refuse(f"{table.place(row)}, column {name!r}", rule, came, repair)
