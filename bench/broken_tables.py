"""What each broken table gets: one line a file of the tests, with the message a user would see.

python bench/broken_tables.py
"""

import importlib.util
import tempfile
from pathlib import Path

from elman.data import DataError, read_panel

TABLES = Path(__file__).parent.parent / "tests" / "data" / "broken.py"


def main() -> None:
    """Read each and print what was said."""
    spec = importlib.util.spec_from_file_location("broken", TABLES)
    broken = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(broken)
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        for name, (data, _) in broken.REFUSED.items():
            path.write_bytes(data)
            try:
                read_panel(path, **broken.ARGUMENTS.get(name, {}))
                said = "READ WITHOUT A WORD"
            except DataError as error:
                refused, said = refused + 1, str(error)
            print(f"{name}\n    {said[:400]}")
    print(f"\n{refused} of {len(broken.REFUSED)} refused")


if __name__ == "__main__":
    main()
