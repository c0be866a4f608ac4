"""Where on Earth a document's shapes lie: boxes out of schema.org's box, polygon, line, circle and point.

schema.org writes latitude before longitude. Polygons with a comma between the points are WKT's way, which is longitude
first, and so is whatever would put a latitude beyond a pole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_WKT = re.compile(r"[-+\d.eE]\s+[-+]?[\d.]+(?:[eE][-+]?\d+)?\s*,")


@dataclass(frozen=True, slots=True)
class Box:
    """Degrees; ``west`` greater than ``east`` crosses the antimeridian."""

    south: float
    west: float
    north: float
    east: float

    @property
    def centre(self) -> tuple[float, float]:
        """Latitude and longitude of the middle."""
        span = (self.east - self.west) % 360 if self.east < self.west else self.east - self.west
        longitude = self.west + span / 2
        return (self.south + self.north) / 2, longitude - 360 if longitude > 180 else longitude

    @property
    def is_point(self) -> bool:
        return self.south == self.north and self.west == self.east


def point(latitude: str, longitude: str) -> Box | None:
    """The box of one point; None when the texts are no coordinates."""
    try:
        return _checked(float(latitude), float(longitude), float(latitude), float(longitude))
    except ValueError:
        return None


def box_of(text: str) -> Box | None:
    """``box``: south west north east."""
    numbers = _numbers(text)
    if len(numbers) != 4:
        return None
    south, west, north, east = numbers
    if max(abs(south), abs(north)) > 90:
        south, west, north, east = west, south, east, north
    if south > north:
        south, north = north, south
    return _checked(south, west, north, east)


def outline_of(text: str) -> Box | None:
    """``polygon``, ``line`` or ``circle`` (its middle): the box around the points."""
    numbers = _numbers(text)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    if not pairs:
        return None
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    latitudes, longitudes = (second, first) if _WKT.search(text) else (first, second)
    if max(map(abs, latitudes)) > 90:
        latitudes, longitudes = longitudes, latitudes
    return _checked(min(latitudes), min(longitudes), max(latitudes), max(longitudes))


def around(boxes: Sequence[Box]) -> Box | None:
    """The box around boxes; None for none."""
    if len(boxes) < 2:
        return boxes[0] if boxes else None
    return Box(
        min(box.south for box in boxes),
        min(min(box.west, box.east) for box in boxes),
        max(box.north for box in boxes),
        max(max(box.west, box.east) for box in boxes),
    )


def _numbers(text: str) -> list[float]:
    return [float(number) for number in _NUMBER.findall(text)]


def _checked(south: float, west: float, north: float, east: float) -> Box | None:
    edges = (south, west, north, east)
    if not all(map(math.isfinite, edges)) or max(abs(south), abs(north)) > 90 or max(abs(west), abs(east)) > 360:
        return None
    return Box(*edges)
