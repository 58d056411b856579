"""`elman export`: a model in the form that another runtime reads."""

from pathlib import Path
from typing import Annotated, Any

from elman.cells import Cell
from elman.cli.console import result, say
from elman.tasks.forecast import Forecaster
from elman.tasks.forecasting.store import TASK
from elman.tasks.forecasting.streaming import model_of
from elman.tasks.shared import model_path
from elman_runtime import files, model_file
from elman_runtime.model import Model, load, write_model


def app(cells: tuple[type[Cell], ...] = ()) -> Any:
    """The command."""
    from cyclopts import Parameter

    def export(
        run: Annotated[Path, Parameter(help="Folder of a run, or a model file.")],
        /,
        *,
        onnx: Annotated[Path | None, Parameter(help="The ONNX file to write.")] = None,
        image: Annotated[
            Path | None, Parameter(help="The image to write: what a C program loads (elman.h).")
        ] = None,
        model: Annotated[
            Path | None,
            Parameter(help="The model file to write: a forecaster's, as one series' stream."),
        ] = None,
        series: Annotated[
            str | None, Parameter(help="Forecasters: the series; none is needed for an only one.")
        ] = None,
        program: Annotated[
            str | None,
            Parameter(help="Which of the model's programs. [default: main; step of an image]"),
        ] = None,
    ) -> None:
        """Write a model for another runtime: ONNX, an image for C, a file for NumPy alone.

        ONNX needs `pip install 'elman[export]'`. Of a program that runs step by step,
        states are inputs state_in_NAME and outputs state_out_NAME.
        """
        if onnx is None and image is None and model is None:
            raise ValueError("--onnx, --image or --model must be given; got none; name a file")
        opened = _opened(model_path(run), series, cells)
        if model is not None:
            kind, settings = opened.meta["kind"], opened.settings
            parts = (opened.programs, opened.tapes, opened.tensors, kind, settings)
            write_model(model, *parts, overwrite=False)
            result(f"{model}: programs {', '.join(opened.programs)}")
        if image is not None:
            _write_image(opened, image, program)
        if onnx is not None:
            _write_onnx(opened, onnx, program or "main")

    return export


def _opened(path: Path, series: str | None, cells: tuple[type[Cell], ...]) -> Model:
    """A model's programs; a forecaster's are those of one of its series."""
    if model_file.describe(path).meta.get("task") == TASK:
        forecaster = Forecaster.load(path, cells)
        return model_of(forecaster.fitted, forecaster.settings, series)
    if series is not None:
        raise ValueError(f"--series is for forecasters; got {path}; leave it out")
    return load(path)


def _write_image(model: Model, out: Path, program: str | None) -> None:
    from elman_runtime.program.image import image

    name = program or ("step" if "step" in model.programs else "main")
    files.write_atomic(out, image(model.program(name), model.tensors, model.tapes), overwrite=False)
    result(f"{out}: program {name}")


def _write_onnx(model: Model, out: Path, program: str) -> None:
    from elman.export import onnx

    names = onnx(model, out, program)
    result(f"{out}: inputs {', '.join(names)}")
    if any(name.startswith("state_in_") for name in names):
        say("Feed each state_out_NAME as the next call's state_in_NAME, and zeros at first.")
