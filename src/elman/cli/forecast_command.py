"""`elman train forecast`: a new run, one that goes on, one from the weights of another."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from elman.cells import Cell
from elman.cli import run_folder, training
from elman.cli.cell_files import find_cell
from elman.cli.config import fields
from elman.cli.console import say
from elman.cli.forecast_results import TASK, cross, say_results, write_results
from elman.cli.forecast_use import load
from elman.cli.use import Cells
from elman.data import Panel
from elman.tasks.forecast import Forecaster, ForecastSettings, budgeted, examples
from elman.tasks.forecasting.crossing import Cutoffs, until
from elman.tasks.forecasting.resolve import resolve

CROSSED = "cross_validation"
_DATA = ("path", "sha256", "asked", "start", "static_df", "futr_df")
_LISTS = ("futr_exog_list", "hist_exog_list", "stat_exog_list")

# What the table tells where the user does not.
_INFERRED = ("id_col", "time_col", "target_col", "freq", "season")


@dataclasses.dataclass(frozen=True)
class Tables:
    """Files: the series, static covariates, and covariates after the end."""

    file: Path | None = None
    static_df: Path | None = None
    futr_df: Path | None = None

    def or_else(self, data: dict[str, Any]) -> "Tables":
        """These, and those that [data] names where none is given."""
        named = {"file": "path", "static_df": "static_df", "futr_df": "futr_df"}
        found = {mine: Path(data[key]) for mine, key in named.items() if key in data}
        given = {name: path for name, path in vars(self).items() if path is not None}
        return Tables(**found | given)

    def read(self, forecaster: Forecaster) -> Panel:
        """The series, as a forecaster understands them."""
        return forecaster.read(self.file, self.static_df, self.futr_df)

    @property
    def series(self) -> Path:
        """The file of the series. Raises ValueError where none was given."""
        if self.file is None:
            raise ValueError("a file must be given; got none; elman train forecast FILE --h 28")
        return self.file

    def recorded(self, panel: Panel) -> dict[str, Any]:
        """For [data] of settings.toml."""
        found = {"path": str(self.series.resolve()), "sha256": panel.sha256}
        for name in ("static_df", "futr_df"):
            path = getattr(self, name)
            found |= {} if path is None else {name: str(path.resolve())}
        return found


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """What a run is told beside the settings of the forecast and of its training.

    - `runs`: where the folder of the run is made.
    - `resume`: go on with this run, which was stopped or killed.
    - `config`: settings from a TOML file, such as that of a run; flags count more.
    - `from_`: begin with the weights of this run or model file.
    - `static_df`: file of static covariates, a row for each series.
    - `futr_df`: file of rows after the end, with covariates that are known ahead.
    - `n_windows`: cutoffs of a cross-validation that follows; 0 for none.
    - `step_size`: steps between these cutoffs; h by default.
    - `cv_refit`: train before each of these cutoffs, not once.
    - `threads`: of torch. A network of this size gains little from a second one, and loses much
      by it where something else is running.
    """

    runs: Path = Path("runs")
    resume: Path | None = None
    config: Path | None = None
    from_: Path | None = None
    static_df: Path | None = None
    futr_df: Path | None = None
    n_windows: int = 0
    step_size: int | None = None
    cv_refit: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for a number of threads below 1."""
        if self.threads < 1:
            raise ValueError(f"--threads: must be a whole number from 1 up; got {self.threads}")

    @property
    def cutoffs(self) -> Cutoffs | None:
        """Of the cross-validation that follows; None for none."""
        given = (self.n_windows, self.step_size, self.cv_refit)
        return Cutoffs(*given) if self.n_windows else None

    def tables(self, file: Path | None) -> Tables:
        """The files of data."""
        return Tables(file, self.static_df, self.futr_df)


def train(file: Path | None, asked: RunSettings, given: dict[str, Any], cells: Cells) -> None:
    """Train a new run, or go on with one."""
    torch.set_num_threads(asked.threads)
    if asked.resume is not None:
        _resume(file, asked, given, cells)
        return
    tables, given, cutoffs = _with_config(file, asked, given)
    start = None if asked.from_ is None else load(asked.from_, given.get("cell", ""), cells)
    forecaster = _new(tables, given, start, cells)
    panel = tables.read(forecaster)
    _say_understood(panel)
    shape, _, short = examples(panel, forecaster.settings)
    if short:
        few = ", ".join(short[:5]) + (f" and {len(short) - 5} more" if len(short) > 5 else "")
        say(f"  warning   too short to train or be tested on: {few}")
    if cutoffs is not None:
        first = until(panel, cutoffs.ends(forecaster.settings.h)[0])
        examples(first, forecaster.settings, tested=False)
    settings = resolve(forecaster.settings, panel, shape)
    run = run_folder.new_run(asked.runs, TASK, tables.series.name)
    named = [name for name in _INFERRED if getattr(forecaster.settings, name)]
    data: dict[str, Any] = tables.recorded(panel) | {"asked": named}
    if asked.from_ is not None:
        data["start"] = str(asked.from_.resolve())
    sections = {
        "data": data,
        TASK: dataclasses.asdict(settings),
        "fit": dataclasses.asdict(budgeted(forecaster.fit_settings)),
    }
    if cutoffs is not None:
        sections[CROSSED] = dataclasses.asdict(cutoffs)
    run_folder.write_settings(run, sections)
    ready = _forecaster(forecaster.cell, sections)
    _fit(run, _started(ready, start), panel, cutoffs, resume=False, warm=start is not None)


def _new(
    tables: Tables, given: dict[str, Any], start: Forecaster | None, cells: Cells
) -> Forecaster:
    """The forecaster to fit: as asked, otherwise as the one to start from."""
    known = {} if start is None else like(start)
    known |= given
    if "h" not in known:
        raise ValueError(
            f"--h must be given; got none; for instance: elman train forecast {tables.file} --h 28"
        )
    named = known.pop("cell", "GRU")
    cell = find_cell(named, cells) if isinstance(named, str) else named
    return Forecaster(known.pop("h"), cell, **known)


def _started(forecaster: Forecaster, start: Forecaster | None) -> Forecaster:
    return forecaster if start is None else forecaster.from_weights(start)


def like(start: Forecaster) -> dict[str, Any]:
    """The settings of a model to start from, but for those that depend on the data's length."""
    free = ("validation_windows", "test_windows")
    own = {name: value for name, value in vars(start.settings).items() if name not in free}
    return own | {"cell": start.cell}


def _with_config(
    file: Path | None, asked: RunSettings, given: dict[str, Any]
) -> tuple[Tables, dict[str, Any], Cutoffs | None]:
    """The files, the settings and the cutoffs: flags first, then what --config says."""
    more = {CROSSED: fields(Cutoffs)}
    found = training.configured(asked.config, TASK, ForecastSettings, _DATA, **more)
    tables = asked.tables(file).or_else(found.get("data", {}))
    if tables.file is None:
        raise ValueError(
            "FILE must be given; got none; for instance: elman train forecast sales.csv --h 28"
        )
    merged = found.get(TASK, {}) | found.get("fit", {}) | given
    crossed = Cutoffs(**found[CROSSED]) if CROSSED in found else None
    return tables, merged, asked.cutoffs or crossed


def _resume(file: Path | None, asked: RunSettings, given: dict[str, Any], cells: Cells) -> None:
    assert asked.resume is not None
    run = asked.resume
    if asked.config or asked.from_ or asked.cutoffs:
        raise ValueError(
            "--resume goes on with the settings of the run; got --config, --from or --n-windows; "
            "leave them out, or start a new run"
        )
    sections = training.stored(run, TASK, given)
    cell = find_cell(given.pop("cell", sections[TASK]["cell"]), cells)
    sections["fit"] |= given
    forecaster = _forecaster(cell, sections)
    # What was inferred is inferred again, so that the same is said of it.
    named = {name: sections[TASK][name] for name in sections["data"]["asked"]}
    lists = {name: sections[TASK].get(name, ()) for name in _LISTS}
    tables = asked.tables(file).or_else(sections["data"])
    panel = tables.read(Forecaster(sections[TASK]["h"], cell, **named, **lists))
    if panel.sha256 != sections["data"]["sha256"]:
        raise ValueError(
            f"{tables.file}: a run goes on with the data it began with; got a "
            "file that has changed since; put the old one back, or start a new run"
        )
    run_folder.write_settings(run, sections)
    begun = sections["data"].get("start")
    start = load(Path(begun), given.get("cell", ""), cells) if begun else None
    cutoffs = Cutoffs(**sections[CROSSED]) if CROSSED in sections else None
    warm = start is not None
    _fit(run, _started(forecaster, start), panel, cutoffs, resume=True, warm=warm)


def _forecaster(cell: type[Cell], sections: training.Sections) -> Forecaster:
    settings = training.again(sections, TASK)
    return Forecaster(settings.pop("h"), cell, **settings)


def _fit(
    run: Path,
    forecaster: Forecaster,
    panel: Panel,
    cutoffs: Cutoffs | None,
    *,
    resume: bool,
    warm: bool,
) -> None:
    with training.fitting(run, TASK, resume=resume):
        forecaster.fit(panel, warm_start=warm, run_dir=run, resume=resume, progress=True, say=say)
        crossed = None if cutoffs is None else cross(run, forecaster, panel, cutoffs)
    write_results(run, forecaster, panel, crossed)
    say_results(run, forecaster, crossed)


def _say_understood(panel: Panel) -> None:
    for line in panel.understood.lines():
        say(line)
