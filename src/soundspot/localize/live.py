"""Localize what comes as it comes: a moment at every step, a fixed time after it was, and never further behind."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from soundspot.data.loader import fit_picture
from soundspot.localize.localizer import Localizer
from soundspot.localize.source import EVERY_SECONDS
from soundspot.localize.timeline import Moment
from soundspot.media.container import Decoded
from soundspot.media.stream import Piece, Stream, open_stream, pixels_of
from soundspot.types import UserError

QUEUE = 2
"""Looks that may wait for the method: more would only be told later."""
SLACK_SECONDS = 0.05
"""Stamps this far from where the sound before ended are taken to follow it."""
JUMP_SECONDS = 5.0
"""A stamp this far off is another clock: begin anew there."""
Samples = npt.NDArray[np.float32]


class Question(NamedTuple):
    """What the method is to be asked of one moment."""

    time_seconds: float
    picture: npt.NDArray[np.uint8]
    """(S, S, 3), as the method wants it."""
    window: Samples
    """(C, N) around the time."""
    arrived_seconds: float
    """When the picture came, by time.monotonic."""


class Told(NamedTuple):
    """A moment, how long after it came it was told, and how many looks before it were left out in all."""

    moment: Moment
    delay_seconds: float
    dropped: int

    def row(self) -> dict[str, Any]:
        """As plain values, one line."""
        row = self.moment.row()
        names = ("time_seconds", "verdict", "probability", "level_dbfs", "boxes", "heard")
        values = {name: row[name] for name in names}
        values["tags"] = values.pop("heard")
        return {**values, "delay_seconds": round(self.delay_seconds, 3), "dropped": self.dropped}


class Waiting:
    """A queue of at most `size`: where another comes, the oldest goes, and is counted."""

    def __init__(self, size: int) -> None:
        self._items: deque[Question] = deque()
        self._size = size
        self._changed = threading.Condition()
        self._ended: BaseException | bool = False
        self.dropped = 0

    def put(self, item: Question) -> None:
        """Add one; never waits."""
        with self._changed:
            if len(self._items) == self._size:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes; what waits is still given, then the error."""
        with self._changed:
            self._ended = error or True
            self._changed.notify()

    def __iter__(self) -> Iterator[tuple[Question, int]]:
        """The items with how many were dropped by then, until the end."""
        while True:
            with self._changed:
                while not self._items and not self._ended:
                    self._changed.wait()
                if not self._items:
                    if isinstance(self._ended, BaseException):
                        raise self._ended
                    return
                item, dropped = self._items.popleft(), self.dropped
            yield item, dropped


class Held:
    """The last seconds of a sound by the stream's time."""

    def __init__(self, sample_rate: int, num_channels: int, seconds: float) -> None:
        self.sample_rate, self.num_channels = sample_rate, num_channels
        self._keep = round(seconds * sample_rate)
        self._samples = np.zeros((num_channels, 0), np.float32)
        self._end: int | None = None

    @property
    def end_seconds(self) -> float:
        """Until when there is sound; minus infinity before any came."""
        return -math.inf if self._end is None else self._end / self.sample_rate

    def add(self, time_seconds: float, samples: Samples) -> None:
        """(C, N) that begin at a time; a gap before them is silence, what was there already is left out."""
        first = round(time_seconds * self.sample_rate)
        if self._end is None or abs(first - self._end) > JUMP_SECONDS * self.sample_rate:
            self._samples, self._end = samples[:, :0], first
        if abs(first - self._end) > SLACK_SECONDS * self.sample_rate:
            gap = np.zeros((self.num_channels, max(0, first - self._end)), np.float32)
            samples = np.concatenate([gap, samples[:, max(0, self._end - first) :]], axis=1)
        self._samples = np.concatenate([self._samples, samples], axis=1)[:, -self._keep :]
        self._end += samples.shape[1]

    def around(self, time_seconds: float, length: int) -> Samples:
        """(C, length) centred on a time; silence where there is none."""
        window = np.zeros((self.num_channels, length), np.float32)
        if self._end is None:
            return window
        first = round(time_seconds * self.sample_rate) - length // 2
        start = self._end - self._samples.shape[1]
        begin, stop = max(first, start), min(first + length, self._end)
        if stop > begin:
            window[:, begin - first : stop - first] = self._samples[:, begin - start : stop - start]
        return window


class Watcher:
    """Makes questions of pieces: a picture at every step, asked when half a window of sound after it has come."""

    def __init__(
        self, localizer: Localizer, every_seconds: float, num_channels: int, ask: Callable[[Question], None]
    ) -> None:
        self._inputs, self._every, self._ask = localizer.method.inputs, every_seconds, ask
        self._length = round(self._inputs.seconds * localizer.sample_rate)
        self._half = self._inputs.seconds / 2
        self._sound = Held(localizer.sample_rate, num_channels, 2 * self._inputs.seconds + JUMP_SECONDS)
        self._shown: tuple[Decoded, float] | None = None
        self._step = 0
        self._pictures: deque[tuple[float, npt.NDArray[np.uint8], float]] = deque()

    def take(self, piece: Piece) -> None:
        """The next that came."""
        if piece.kind == "sound":
            self._sound.add(piece.time_seconds, piece.content)
        else:
            self._see(piece)
        while self._pictures and self._sound.end_seconds >= self._pictures[0][0] + self._half:
            self._ask_first()

    def finish(self) -> None:
        """The stream has ended: silence stands in for what did not come."""
        if self._shown is not None and self._shown[0].time_seconds >= self._step * self._every:
            self._keep(*self._shown)
        while self._pictures:
            self._ask_first()

    def _see(self, piece: Piece) -> None:
        if self._shown is not None:
            before = self._shown[0].time_seconds
            if not 0 <= piece.time_seconds - before <= JUMP_SECONDS:
                self._step = math.ceil(piece.time_seconds / self._every)
            elif self._step * self._every < piece.time_seconds:
                self._keep(*self._shown)
        self._shown = piece.content, piece.arrived_seconds

    def _keep(self, picture: Decoded, arrived: float) -> None:
        """What is on screen at the next step, or at several where frames are rarer than steps."""
        fitted = fit_picture(pixels_of(picture), self._inputs)
        end = picture.time_seconds + max(picture.duration_seconds, 1e-6)
        while True:
            self._pictures.append((self._step * self._every, fitted, arrived))
            self._step += 1
            if self._step * self._every >= end:
                return

    def _ask_first(self) -> None:
        at, picture, arrived = self._pictures.popleft()
        self._ask(Question(at, picture, self._sound.around(at, self._length), arrived))


@dataclass(frozen=True)
class Live:
    """Streams that are listened to and looked at from now on."""

    localizer: Localizer
    streams: tuple[Stream, ...]
    """One of picture and sound, or one of each."""
    every_seconds: float
    queue: int

    @property
    def stated_delay_seconds(self) -> float:
        """Within this after it came a moment is told, while the method keeps up: half a window, and a step to work."""
        return self.localizer.method.inputs.seconds / 2 + self.every_seconds

    def moments(self) -> Iterator[Told]:
        """What there is to say, as it comes, until the stream ends. MediaError where it breaks."""
        waiting = Waiting(self.queue)
        num_channels = max(stream.sound.codec_context.layout.nb_channels for stream in self.streams if stream.sound)
        watcher = Watcher(self.localizer, self.every_seconds, min(2, num_channels), waiting.put)
        threading.Thread(target=self._read, args=(watcher, waiting, min(2, num_channels)), daemon=True).start()
        for question, dropped in waiting:
            (look,) = self.localizer.looks([(question.time_seconds, question.picture)], [question.window])
            moment = self.localizer.judge.moment(look)
            yield Told(moment, time.monotonic() - question.arrived_seconds, dropped)

    def _read(self, watcher: Watcher, waiting: Waiting, num_channels: int) -> None:
        """All streams until one ends; each has its own clock, which begins where the first piece of it came."""
        lock, ended = threading.Lock(), threading.Event()
        errors: list[BaseException] = []
        began = time.monotonic()

        def read(stream: Stream) -> None:
            shift: float | None = None if len(self.streams) > 1 else 0.0
            try:
                for piece in stream.pieces(self.localizer.sample_rate, "stereo" if num_channels == 2 else "mono"):
                    shift = piece.arrived_seconds - began - piece.time_seconds if shift is None else shift
                    moved = piece._replace(time_seconds=piece.time_seconds + shift)
                    if piece.kind == "picture":
                        moved = moved._replace(content=piece.content._replace(time_seconds=moved.time_seconds))
                    with lock:
                        watcher.take(moved)
                    if ended.is_set():
                        return
            except BaseException as error:  # noqa: BLE001 - raised again where moments are asked for
                errors.append(error)
            finally:
                ended.set()

        for stream in self.streams[1:]:
            threading.Thread(target=read, args=(stream,), daemon=True).start()
        read(self.streams[0])
        with lock:
            watcher.finish()
        waiting.end(errors[0] if errors else None)


def open_live(
    localizer: Localizer,
    source: str,
    sound: str | None = None,
    every_seconds: float = EVERY_SECONDS,
    queue: int = QUEUE,
) -> Live:
    """`source` as `open_stream` takes it; `sound`, where the source has none: an ALSA device such as "default"."""
    if not 0 < every_seconds < math.inf:
        raise UserError(f"expected --every above 0 seconds, got {every_seconds}; try 0.5")
    if queue < 1:
        raise UserError(f"expected a --queue of 1 or more, got {queue}; try {QUEUE}")
    inputs = localizer.method.inputs
    silence = np.zeros(round(inputs.seconds * localizer.sample_rate), np.float32)
    localizer(np.zeros((8, 8, 3), np.uint8), silence)  # what is loaded at first use is loaded before anything runs
    streams = [open_stream(source)]
    if sound is not None:
        streams[0].sound = None
        is_device = "://" not in sound and not Path(sound).exists()
        streams.append(open_stream(sound, "alsa" if is_device else None))
        streams[1].picture = None
    for kind in ("picture", "sound"):
        if all(getattr(stream, kind) is None for stream in streams):
            hint = "; give --sound, such as an ALSA device" if kind == "sound" else "; give a camera or a film"
            raise UserError(f"{source}: expected a stream with {kind}, got none{hint}")
    return Live(localizer, tuple(streams), every_seconds, queue)
