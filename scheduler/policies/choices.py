"""What most policies need: the board's best, a link's best, and the frame sent to it."""

from scheduler.placement import Encoding, LinkView, Placement, RemoteModel, View
from scheduler.tasks import Task


def on_board(task: Task, view: View, reason: str) -> Placement:
    """The most accurate rung that is in time, else the tracks carried to now."""
    rung = view.fitting_rung(task.deadline_ns, view.now_ns)
    if rung is None:
        return Placement("carry", reason=f"{reason}; no rung on board is in time")
    return Placement("onboard", rung.model, utility=rung.accuracy, reason=reason)


def best_model(link: LinkView) -> RemoteModel:
    """The most accurate model of a link's unit; of equals the first declared."""
    return max(link.models, key=lambda model: round(model.accuracy, 6))


def open_links(view: View) -> list[LinkView]:
    """Links that a picture can be sent over now."""
    if "offload" not in view.pipelines or not view.encodings:
        return []
    return [link for link in view.usable_links() if link.models]


def nearest(view: View, quality: int) -> Encoding:
    """The encoding of this JPEG quality, or the nearest there is, at the largest size."""
    return min(view.encodings, key=lambda encoding: abs(encoding.quality - quality))


def send(link: LinkView, model: RemoteModel, encoding: Encoding, reason: str) -> Placement:
    """The frame, encoded so, to this model at the end of this link."""
    return Placement(
        "offload",
        model.model,
        link.unit_id,
        encoding.quality,
        utility=model.accuracy_of(encoding),
        reason=reason,
        width=encoding.width,
        height=encoding.height,
    )


def usual_ns(link: LinkView, model: RemoteModel, encoding: Encoding) -> float:
    """Encoding, round trip and service: an answer's time but for the bytes on the link."""
    return encoding.encode_ns + model.service_ns + link.estimate.srtt_ns
