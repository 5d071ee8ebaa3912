"""How a camera's frame may be sent: sizes, qualities, and what each costs (sans-IO)."""

from collections.abc import Sequence

from scheduler.latency import JpegSizes, StageTimes, accuracy_loss, bytes_per_pixel
from scheduler.placement import Encoding, Size
from scheduler.tasks import Task

ENCODE_PRIOR_NS = 4_000_000  # 640x384 at q60 on one core
AS_IT_IS: list[Size] = [(0, 0)]
REFRESH_NS = 1_000_000_000  # a list of encodings is made anew this often where none is encoded


def sent_size(width: int, height: int, wanted: Size) -> Size:
    """The size at which a frame is sent that shall fit into `wanted`; (0, 0) = as it is.

    The frame's own proportions are kept, and it is never enlarged.
    """
    scale = max(width / wanted[0], height / wanted[1])
    if scale <= 1.0:
        return 0, 0
    return max(16, round(width / scale)), max(16, round(height / scale))


class Pictures:
    """Encodings of every camera's frames, with sizes and durations as measured.

    Args:
        qualities: JPEG qualities, best first.
        resolutions: Widths and heights that a frame may be sent at; empty = as it is.
    """

    def __init__(self, qualities: Sequence[int], resolutions: Sequence[Size] = ()) -> None:
        self._qualities = tuple(qualities)
        self._resolutions = tuple(resolutions)
        self._table = [(q, bytes_per_pixel(q), accuracy_loss(q)) for q in self._qualities]
        self._bytes: dict[tuple[str, int, int], JpegSizes] = {}
        self._sizes_known: dict[Size, list[Size]] = {}  # by that of the frame
        self._times: dict[Size, StageTimes] = {}
        self._made: dict[str, tuple[int, int, int, tuple[Encoding, ...]]] = {}

    def encodings(self, task: Task, now_ns: int) -> tuple[Encoding, ...]:
        """The largest first, and of one size the best quality first."""
        made = self._made.get(task.camera_id)
        if made is not None:
            made_ns, width, height, encodings = made
            if now_ns - made_ns < REFRESH_NS and width == task.width and height == task.height:
                return encodings
        encodings = tuple(
            [
                encoding
                for size in self._sizes(task)
                for encoding in self._of_size(task, size, self._table, now_ns)
            ]
        )
        self._made[task.camera_id] = (now_ns, task.width, task.height, encodings)
        return encodings

    def of(self, task: Task, quality: int, size: Size, now_ns: int) -> Encoding:
        """One encoding, among those offered or not."""
        for encoding in self.encodings(task, now_ns):
            if encoding.quality == quality and (encoding.width, encoding.height) == size:
                return encoding
        row = (quality, bytes_per_pixel(quality), accuracy_loss(quality))
        return self._of_size(task, size, (row,), now_ns)[0]

    def on_encoded(
        self, task: Task, quality: int, size: Size, size_bytes: int, duration_ns: int, now_ns: int
    ) -> None:
        """What encoding a frame took, for the next prediction."""
        self._times_of(size).add(duration_ns, now_ns)
        self._sizes_of(task.camera_id, size).add(quality, _pixels(task, size), size_bytes)
        self._made.pop(task.camera_id, None)

    def _sizes(self, task: Task) -> list[Size]:
        if not self._resolutions:
            return AS_IT_IS
        key = (task.width, task.height)
        known = self._sizes_known.get(key)
        if known is None:
            sizes = [sent_size(task.width, task.height, wanted) for wanted in self._resolutions]
            known = sorted(dict.fromkeys(sizes), key=lambda size: -_pixels(task, size))
            self._sizes_known[key] = known
        return known

    def _of_size(
        self, task: Task, size: Size, table: Sequence[tuple[int, float, float]], now_ns: int
    ) -> list[Encoding]:
        pixels, scale = _pixels(task, size), self._sizes_of(task.camera_id, size).scale
        encode_ns = self._times_of(size).quantile_ns(0.5, now_ns)
        return [
            Encoding(quality, int(per_pixel * pixels * scale), encode_ns, loss, *size)
            for quality, per_pixel, loss in table
        ]

    def _sizes_of(self, camera_id: str, size: Size) -> JpegSizes:
        key = (camera_id, *size)
        found = self._bytes.get(key)
        if found is None:
            found = self._bytes[key] = JpegSizes()
        return found

    def _times_of(self, size: Size) -> StageTimes:
        found = self._times.get(size)
        if found is None:
            found = self._times[size] = StageTimes(ENCODE_PRIOR_NS)
        return found


def _pixels(task: Task, size: Size) -> int:
    return size[0] * size[1] if size[0] else task.width * task.height
