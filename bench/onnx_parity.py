"""How far ONNX models run by onnxruntime are from torch, for every cell, in both precisions.

    python bench/onnx_parity.py --steps 50

Outputs and final states of a batch of 4 over the steps, hidden size 64, weights as a layer is made.
The difference allowed comes from `elman.tolerance`; a cell beyond it is printed, and the exit code
is 1.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import onnx
import onnxruntime
import torch
from timing import header

import elman
from elman.export import onnx as export
from elman.tolerance import Difference, compare

BATCH, UNITS = 4, 64
WRITTEN = ("Scan", "RNN", "GRU", "LSTM")


@torch.no_grad()
def measure(name: str, dtype: torch.dtype, steps: int, path: Path) -> tuple[str, list[Difference]]:
    """The node that a cell became, and the difference of each output and state."""
    cell = elman.cells.by_name(name)
    layer = elman.nn.Recurrent(cell, UNITS, UNITS, dtype=dtype).eval()
    x = torch.randn(BATCH, steps, UNITS, dtype=dtype)
    further = {n: torch.rand(BATCH, steps, dtype=dtype) for n in cell.inputs if n != "raw"}
    export(layer, path)
    nodes = {node.op_type for node in onnx.load(path).graph.node}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    run = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    state = layer.initial_state(BATCH)[0]
    feed = {f"state_in_{n}_l0": s.numpy() for n, s in zip(cell.state, state, strict=True)}
    given = {n: v.numpy() for n, v in {"x": x, **further}.items()}
    got = run.run(None, given | feed)
    y, final = layer(x, **further)
    terms = steps * 2 * UNITS
    pairs = zip(got, (y, *final[0]), ("y", *cell.state), strict=True)
    found = [compare(a, e, terms=terms, what=what) for a, e, what in pairs]
    return next(op for op in WRITTEN if op in nodes), found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    print(header().splitlines()[1].partition(";")[0])
    print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}; {settings.steps} steps")
    print(f"{'cell':18}{'dtype':10}{'node':6}{'worst difference':>18}  of the allowed")
    beyond = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted(elman.cells.builtin()):
            for dtype in (torch.float32, torch.float64):
                path = Path(folder) / "model.onnx"
                node, found = measure(name, dtype, settings.steps, path)
                worst = max(abs(d.actual - d.expected) for d in found)
                ratio = max(d.ratio for d in found)
                kind = str(dtype).removeprefix("torch.")
                print(f"{name:18}{kind:10}{node:6}{worst:18.2g}{ratio:16.3f}")
                beyond += not ratio <= 1
    if beyond:
        print(f"{beyond} beyond the tolerance", file=sys.stderr)
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
