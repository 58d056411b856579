"""`elman export`: a model in the format of another runtime."""

from pathlib import Path
from typing import Annotated, Any

from elman.cli.console import result, say


def app() -> Any:
    """The command."""
    from cyclopts import Parameter

    def export(
        run: Annotated[Path, Parameter(help="Folder of a run, or a model file.")],
        /,
        *,
        onnx: Annotated[Path, Parameter(help="The ONNX file to write.")],
        program: Annotated[
            str,
            Parameter(help="Which of the model's programs: main, or step, if it has one."),
        ] = "main",
    ) -> None:
        """Write a model as ONNX; needs `pip install 'elman[export]'`.

        Of a program that runs step by step, states are inputs state_in_NAME
        and outputs state_out_NAME. Prints the file and the names of its inputs.
        """
        from elman.export import onnx as write

        names = write(run, onnx, program)
        result(f"{onnx}: inputs {', '.join(names)}")
        if any(name.startswith("state_in_") for name in names):
            say("Feed each state_out_NAME as the next call's state_in_NAME, and zeros at first.")

    return export
