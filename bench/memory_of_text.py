"""Memory that reading text takes: for a language model, a classifier and a translator.

    python bench/memory_of_text.py                       # 1,000 MB of text each
    python bench/memory_of_text.py --megabytes 100 --only translate

Files of random words are made in a temporary folder, and each is read in a process of its own, to
the point where training would begin: the corpus of tokens, the examples as tokens, the pairs as
batches. Printed are the most memory that the process had of its own, and the most that was resident
with the files that it maps, which the system takes back when it needs the room; both less what it
had before it read.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from timing import header

WORDS, SENTENCE = 20_000, 10
TASKS = ("language", "classify", "translate")


def word(k: int) -> str:
    """The k-th of all words."""
    letters = "etaoinshrdlucmfwypvbgkqjxz"
    found = ""
    while k >= 0:
        k, at = divmod(k, len(letters))
        found, k = found + letters[at], k - 1
    return found


def sentences(seed: int, known: list[str]) -> list[str]:
    """Ten thousand sentences, frequent words among them as frequent as Zipf says."""
    draw = np.random.default_rng(seed)
    ranks = np.minimum(draw.zipf(1.3, (10_000, SENTENCE)) - 1, WORDS - 1)
    return [" ".join(known[k] for k in row) for row in ranks.tolist()]


def make(task: str, path: Path, size: int) -> None:
    """A file of about `size` bytes as the task reads it."""
    known, written, seed = [word(k) for k in range(WORDS)], 0, 0
    with path.open("w", encoding="utf-8") as file:
        if task == "classify":
            file.write("text\tlabel\n")
        while written < size:
            lines = sentences(seed, known)
            if task == "translate":
                lines = [f"{a}\t{b}" for a, b in pairwise(lines)]
            elif task == "classify":
                lines = [f"{line}\t{'ab'[k % 2]}" for k, line in enumerate(lines)]
            written += file.write("\n".join(lines) + "\n")
            seed += 1


def read(task: str, path: Path) -> str:
    """Read a file for a task; what came of it."""
    if task == "language":
        from elman.data.corpus import read_corpus
        from elman.data.text import as_sources

        return f"{read_corpus(as_sources(path)).tokens.size:,} tokens"
    if task == "classify":
        from elman.tasks.classify import Classifier, ClassifySettings
        from elman.tasks.classifying.batches import Bunches
        from elman.tasks.classifying.counting import bags, learnt_from
        from elman.tasks.classifying.learning import divided

        s = ClassifySettings()
        data = divided(Classifier().read(path), s, 0)
        train = data.train
        batches = Bunches(train.encoded, train.flags, False, s.batch_size, 0, s.longest)
        assert batches[0].x.shape[0] == s.batch_size
        counted = bags(data, learnt_from(data)[0])[2][0].features
        return f"{len(train.encoded):,} examples, {counted:,} words and pairs"
    from elman.tasks.translate import Translator
    from elman.tasks.translating.batches import ByLength
    from elman.tasks.translating.examples import prepare

    settings = Translator().settings
    examples = prepare(Translator().read(path), settings.vocabulary, settings.longest, None)
    batches = ByLength(examples.train, settings.batch_size, 0)
    assert batches[0].source.shape[0] == settings.batch_size
    return f"{len(examples.train):,} pairs"


def resident() -> tuple[int, int]:
    """Bytes of this process's own, and with the files that it maps."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    own, whole = (int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "VmRSS"))
    return own, whole


def watched(task: str, path: Path) -> None:
    """Read, and print what came of it, the most memory and the seconds."""
    import elman.tasks.classify
    import elman.tasks.language
    import elman.tasks.translate  # noqa: F401 - their memory is not that of the text

    before, most, done = resident(), [0, 0], threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            most[:] = map(max, most, resident())

    watcher = threading.Thread(target=look)
    watcher.start()
    start = time.perf_counter()
    try:
        found = read(task, path)
    finally:
        done.set()
        watcher.join()
    own, whole = ((a - b) / 1e6 for a, b in zip(most, before, strict=True))
    size = path.stat().st_size / 1e6
    print(
        f"{task:10s} {size:7,.0f} MB read  {own:7,.0f} MB of its own  {whole:7,.0f} MB resident  "
        f"{time.perf_counter() - start:6,.0f} s   {found}",
        flush=True,
    )


def main() -> None:
    """Print a line for each task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--only", choices=TASKS)
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        watched(given.read[0], Path(given.read[1]))
        return
    print(header(), flush=True)
    for task in TASKS if given.only is None else (given.only,):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{task}.{'txt' if task == 'language' else 'tsv'}")
            make(task, path, given.megabytes * 10**6)
            subprocess.run([sys.executable, __file__, "--read", task, str(path)], check=True)


if __name__ == "__main__":
    main()
