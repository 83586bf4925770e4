"""TensorBoard's event files, by its own writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from horae.settings import dumps
from horae.trackers.common import Point, Run


@dataclass(frozen=True)
class TensorBoard:
    """Event files, to look at with `tensorboard --logdir DIR`. Its relative time is the run's own clock.

    directory: "" is `tensorboard` in the run's directory; elsewhere each run has a folder of its own. run: what it is
    called there, before its clustering and seed ("": the experiment's name).
    """

    directory: str = ""
    run: str = ""
    needs: ClassVar[str] = "tensorboard"
    environment: ClassVar[dict[str, str]] = {}

    def open(self, run: Run) -> Any:
        """A writer of one more event file; the first one holds the experiment as text."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        place = run.place(self.directory, "tensorboard") / (run.title(self.run) if self.directory else "")
        fresh = not place.exists()
        writer = EventFileWriter(str(place))
        if fresh:
            writer.add_event(_text("experiment", dumps(run.experiment)))
        return writer

    def tell(self, opened: Any, points: Sequence[Point]) -> None:
        """A scalar for each number."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        for point in points:
            values = [Summary.Value(tag=name, simple_value=value) for name, value in point.numbers.items()]
            opened.add_event(Event(step=point.step, wall_time=point.at_s, summary=Summary(value=values)))
        opened.flush()

    def close(self, opened: Any, ended: bool) -> None:
        """Close the file."""
        opened.close()


def _text(tag: str, words: str) -> Any:
    """An event that shows words, each line as it is."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    shown = "\n".join(f"    {line}" for line in words.splitlines())
    plugin = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    tensor = TensorProto(dtype=DT_STRING, string_val=[shown.encode()])
    return Event(step=0, wall_time=0.0, summary=Summary(value=[Summary.Value(tag=tag, metadata=plugin, tensor=tensor)]))
