"""A language model to start from: its vocabulary, its tokens' vectors, its recurrent weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.vocabulary import restore
from elman.tasks.classifying.lexicon import Lexicon
from elman.tasks.classifying.settings import ClassifySettings
from elman.tasks.shared import model_path
from elman_runtime import ModelFileError, model_file

_WORDS, _VOCABULARY = "model.words.weight", "extra.vocabulary"
_AGREE = ("cell", "tokens", "hidden", "layers")


def lexicon_of(path: Path, settings: ClassifySettings) -> Lexicon:
    """The language model's own vocabulary.

    Raises:
        ModelFileError: the file is damaged, or holds no language model.
        ValueError: a setting differs from the language model's; says which, and what to give.
        ImportError: subwords need the library `tokenizers`.
    """
    stored = _read(path)
    _check(path, settings, stored.meta["settings"], stored.tensors[_WORDS].shape[1])
    raw = stored.tensors[_VOCABULARY].astype(np.uint8).tobytes()
    try:
        found = restore(settings.tokens, raw)
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    if found.size != len(stored.tensors[_WORDS]):
        raise _damaged(path, f"{found.size} tokens, and vectors of {len(stored.tensors[_WORDS])}")
    return Lexicon(settings.tokens, (), settings.keep_case, found)


@torch.no_grad()
def start_from(path: Path, network: nn.Module, lexicon: Lexicon) -> None:
    """Copy the vectors of tokens and the recurrent weights, forwards; the others stay as drawn.

    Raises:
        ModelFileError: tensors are missing, or of other shapes.
    """
    tensors = _read(path).tensors
    vectors = torch.from_numpy(tensors[_WORDS].copy())
    # Of subwords every number is one more than in the language model.
    first = 1 if lexicon.kind == "subwords" else 0
    network.get_parameter("front.weight")[first : first + len(vectors)] = vectors
    own: dict[str, Tensor] = network.get_submodule("recurrent").state_dict()
    for name, tensor in own.items():
        if "reverse" in name:
            continue
        found = tensors.get(f"model.recurrent.{name}")
        if found is None or found.shape != tuple(tensor.shape):
            came = "none" if found is None else str(found.shape)
            raise _damaged(path, f"{came} for recurrent.{name} of shape {tuple(tensor.shape)}")
        tensor.copy_(torch.from_numpy(found.copy()))


def _read(path: Path) -> model_file.ModelFile:
    stored = model_file.read(model_path(path))
    settings, tensors = stored.meta.get("settings"), stored.tensors
    whole = _WORDS in tensors and tensors[_WORDS].ndim == 2 and _VOCABULARY in tensors
    if stored.meta.get("task") != "language" or not isinstance(settings, dict) or not whole:
        kind = stored.meta.get("task") or stored.meta.get("kind") or "unknown"
        raise ModelFileError(
            f"{path}: must hold a language model; got {kind!r}; give the run of one (pretrained)"
        )
    return stored


def _check(path: Path, s: ClassifySettings, theirs: Mapping[str, Any], width: int) -> None:
    if theirs.get("tokens") == "bytes":
        raise ValueError(
            f"pretrained must be a language model of characters or subwords; got {path}, of bytes; "
            "train one with tokens=characters (--tokens characters)"
        )
    wanted = {name: theirs.get(name) for name in _AGREE} | {"embedding": width}
    for name, value in wanted.items():
        if getattr(s, name) != value:
            raise ValueError(
                f"{name} must be that of the language model {path}, {value!r}; got "
                f"{getattr(s, name)!r}; give {name}={value} (--{name} {value})"
            )
    if s.layers > 1 and not s.causal:
        raise ValueError(
            f"causal must be True to start from {s.layers} layers, whose upper ones read forwards "
            "alone; got False; give causal=True (--causal)"
        )
    if s.vocabulary:
        raise ValueError(
            f"vocabulary is the language model's where one is given; got {s.vocabulary}; leave it "
            "out"
        )


def _damaged(path: Path, came: str) -> ModelFileError:
    return ModelFileError(
        f"{path}: a language model's parts must fit together; got {came}; train it again"
    )
