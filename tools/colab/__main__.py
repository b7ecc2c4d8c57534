"""Write the notebooks that Colab's and Jupyter's readers get."""

import argparse
import sys
from pathlib import Path

from tools.colab.notebook import head, write_all
from tools.project import COLAB_FOLDER


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.colab", description=__doc__)
    parser.add_argument("--commit", help="the state of the package that they install (HEAD)")
    parser.add_argument("--to", type=Path, default=COLAB_FOLDER, help="the folder to write")
    arguments = parser.parse_args()
    try:
        commit = arguments.commit or head()
        paths = write_all(arguments.to, commit)
    except ValueError as error:
        sys.exit(str(error))
    print(f"{len(paths)} notebooks of {commit[:10]} in {arguments.to}")


if __name__ == "__main__":
    main()
