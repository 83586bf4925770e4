"""When messages leave the server: one line of JSON for each push, by the machine's monotonic clock."""

import json
import time
from pathlib import Path


def watched(grid, out):
    """The same grid, which writes down what is pushed."""
    push, file = grid.push_messages, Path(out)

    def pushed(messages):
        messages = list(messages)
        kinds = sorted({message.metadata.message_type.split(".")[0] for message in messages})
        with file.open("a") as lines:
            lines.write(json.dumps({"s": time.monotonic(), "kinds": kinds, "messages": len(messages)}) + "\n")
        return push(messages)

    grid.push_messages = pushed
    return grid
