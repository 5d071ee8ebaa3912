"""Where a study's recorded drives lie."""

from pathlib import Path

from scheduler.errors import ConfigError

FOLDER = Path("configs/drives")  # in a checkout


def find(name: str, beside: Path | None = None) -> Path:
    """The file of a drive: a shipped one by name, or a path.

    Args:
        name: As in the study.
        beside: A folder to look in first.

    Raises:
        ConfigError: no such file.
    """
    path = Path(name).expanduser()
    here = Path(__file__).resolve().parents[2]
    places = [path, *([beside / path] if beside else [])]
    places += [place / "configs" / "drives" / f"{name}.npz" for place in (here, here / "scheduler")]
    for place in places:
        if place.is_file():
            return place
    told = ", ".join(str(place) for place in places)
    raise ConfigError(f"drives: expected the .npz of {name!r} at one of {told}")
