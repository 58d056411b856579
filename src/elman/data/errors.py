"""The one error of tables, and how it is worded."""


class DataError(ValueError):
    """A table cannot be used as it is.

    The message names the file, the line or column, the rule, what came, and the repair.
    """


def refusal(source: str, place: str, rule: str, came: str, repair: str) -> DataError:
    """The error to raise; `rule` and `came` are clauses, `repair` an imperative."""
    return DataError(f"{source}: {place}: {rule}; got {came}; {repair}")


def shown(value: object, longest: int = 60) -> str:
    """`repr`, bounded: what came may be long."""
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."
