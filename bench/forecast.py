"""Forecasting beside what is published and beside other software. One command a table:

    python bench/forecast.py etth1            # mean MSE over four horizons (10 to 20 minutes)
    python bench/forecast.py m4               # OWA on M4 Hourly (20 minutes)
    python bench/forecast.py air              # MAPE on AirPassengers, beside Holt-Winters
    python bench/forecast.py neuralforecast   # time and accuracy beside neuralforecast
    python bench/forecast.py many             # fitting and predicting 30,000 series
    python bench/forecast.py air --engine torch   # the same without the native engine

Each finished run is added to bench/results/forecast.jsonl and not repeated on the same commit, so
that a pass can be interrupted; `--again` repeats it. The data lie in ../shared/data beside the
repository, or where `--data` says; `make bench` installs the other software.
"""

import argparse
import importlib
from pathlib import Path

from forecast_runs import DATA
from timing import header

import elman

TABLES = {
    "etth1": "forecast_etth1",
    "m4": "forecast_m4",
    "air": "forecast_air",
    "neuralforecast": "forecast_rivals",
    "many": "forecast_many",
}


def main() -> None:
    """Run one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--engine", choices=elman.engine.ENGINES, help="force one; else automatic")
    given = parser.parse_args()
    print(header(), flush=True)
    with elman.engine.use(given.engine):
        importlib.import_module(TABLES[given.table]).main(given.data, given.seeds, given.again)


if __name__ == "__main__":
    main()
