"""The server, in a container whose control group is the folder LIMITED_CONTROL_GROUP."""

import os
from pathlib import Path

from training_sandbox_server.__main__ import main

if __name__ == "__main__":
    main(Path(os.environ["LIMITED_CONTROL_GROUP"]))
