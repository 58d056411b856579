"""Text from a stored language model: `python -m elman_runtime generate`, and what it is made of."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from elman_runtime import vocabulary as vocabularies
from elman_runtime.errors import refusal, shown
from elman_runtime.model import Model, load
from elman_runtime.program import Runner
from elman_runtime.sample import Sampling
from elman_runtime.vocabulary import Vocabulary
from elman_runtime.writing import Piece, check_writing, write

KIND = "LanguageModel"


def open_text(model: Model) -> tuple[Runner, Vocabulary]:
    """What steps a language model's program, and its vocabulary.

    Raises:
        ModelFileError: it is no language model, or its parts do not fit together.
        ImportError: its vocabulary needs the library `tokenizers`.
    """
    repair = "give the model file of a language run"
    if model.meta["kind"] != KIND:
        raise refusal(model.path, "kind", "a language model", shown(model.meta["kind"]), repair)
    stored, kind = model.tensors.get("extra.vocabulary"), model.settings.get("tokens")
    if stored is None or stored.dtype != np.uint8:
        raise refusal(model.path, "extra.vocabulary", "bytes", "none", repair)
    try:
        found = vocabularies.restore(str(kind), stored.tobytes())
    except ValueError as error:
        raise refusal(model.path, "extra.vocabulary", "a vocabulary", str(error), repair) from None
    runner = model.runner("main")
    inputs, outputs = runner.program.inputs, runner.program.outputs
    if [v.kind for v in inputs] != ["int"] or [v.shape[1:] for v in outputs] != [(found.size,)]:
        rule = f"a program from tokens to the logits of {found.size}"
        raise refusal(model.path, "program 'main'", rule, f"{inputs} to {outputs}", repair)
    return runner, found


def show(prompts: Sequence[str], pieces: Iterable[Piece], out: TextIO) -> None:
    """Print one text as it is written, after its prompt; several one after the other, at the end.

    A terminal that knows fewer characters than the model shows what it can.
    """

    def put(text: str) -> None:
        encoding = out.encoding or "utf-8"
        out.write(text.encode(encoding, "replace").decode(encoding))
        out.flush()

    if len(prompts) == 1:
        put(prompts[0])
        for _, text in pieces:
            put(text)
        put("\n")
        return
    found = list(prompts)
    for which, text in pieces:
        found[which] += text
    for k, text in enumerate(found):
        put(f"--- {k + 1}\n{text}\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model and how it writes: the flags of `elman generate`."""
    add, plain = parser.add_argument, Sampling(temperature=0.8)
    add("model", type=Path, help="a model file, or the folder of a run")
    add("--prompt", action="append", default=[], help="what to go on from; may be repeated")
    add("--length", type=int, default=500, help="tokens to write at most")
    add("--temperature", type=float, default=plain.temperature, help="0: the likeliest always")
    add("--top-k", type=int, default=plain.top_k, help="only the k likeliest tokens; 0 for all")
    add("--top-p", type=float, default=plain.top_p, help="only the likeliest that come to p")
    add("--min-p", type=float, default=plain.min_p, help="only those at least so likely, "
        "relative to the likeliest")  # fmt: skip
    add("--seed", type=int, default=0, help="the same seed, the same text")
    add("--stop", action="append", default=[], help="end before this text; may be repeated")


def generate(given: argparse.Namespace) -> int:
    """Print what the model writes; the exit status.

    Raises:
        ModelFileError, OSError: the file cannot be used.
        ValueError, TypeError: an argument breaks its rule.
    """
    prompts = given.prompt or [""]
    check_writing(prompts, given.length, given.stop)
    how = Sampling(given.temperature, given.top_k, given.top_p, given.min_p)
    path = given.model / "model.safetensors" if given.model.is_dir() else given.model
    runner, vocabulary = open_text(load(path))
    options = {"seed": given.seed, "stop": given.stop}
    show(prompts, write(runner, vocabulary, prompts, given.length, how, **options), sys.stdout)
    return 0
