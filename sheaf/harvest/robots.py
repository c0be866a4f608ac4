"""robots.txt by RFC 9309: what a site lets us fetch, and how fast.

In: the bytes of a robots.txt, or the status it came with. Out: rules for one product token, asked by path. The rule
sets of several groups for one token are merged (2.2.1), the longest match wins, Allow wins a tie (2.2.2).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

PRODUCT_TOKEN = "EarthCube_DataBot"  # noqa: S105
# RFC 9309, 2.5: at least 500 KiB have to be parsed.
MAX_ROBOTS_BYTES = 500 * 1024
# A line longer than this is no rule of anybody's.
MAX_PATTERN = 4096

_TOKEN = re.compile(r"[A-Za-z_-]+")
_WITHOUT_COLON = re.compile(r"(allow|disallow|user-agent)\s+(\S.*)", re.IGNORECASE)
_KEYS = {
    "user-agent": "user-agent",
    "useragent": "user-agent",
    "user agent": "user-agent",
    "allow": "allow",
    "disallow": "disallow",
    "dissallow": "disallow",
    "dissalow": "disallow",
    "disalow": "disallow",
    "diasllow": "disallow",
    "disallaw": "disallow",
    "crawl-delay": "crawl-delay",
    "crawldelay": "crawl-delay",
    "sitemap": "sitemap",
    "site-map": "sitemap",
}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_HTML = re.compile(r"\s*(?:<!--.*?-->\s*)?<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE | re.DOTALL)
_PLAIN_PATH = re.compile(r"[!-#&-)+->@-~]*")  # printable ASCII without $ % * ?
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+")


@dataclass(frozen=True, slots=True)
class Rule:
    """One Allow or Disallow: the pattern's literal parts between its ``*``, each in normal form."""

    allow: bool
    parts: tuple[str, ...]
    anchored: bool
    length: int

    def matches(self, path: str) -> bool:
        """Does the rule match a path in normal form? Linear: each part is looked for once, from left to right."""
        first = self.parts[0]
        if not path.startswith(first):
            return False
        if len(self.parts) == 1:
            return not self.anchored or path == first
        position = len(first)
        for part in self.parts[1:-1]:
            found = path.find(part, position)
            if found < 0:
                return False
            position = found + len(part)
        last = self.parts[-1]
        if self.anchored:
            return len(path) - len(last) >= position and path.endswith(last)
        return path.find(last, position) >= 0


@dataclass(frozen=True, slots=True)
class Robots:
    """What one robots.txt says to one product token.

    ``crawl_delay`` in seconds as the site states it, None when it states none. ``sitemaps`` as written, of the whole
    file. ``notes`` says in words what was odd.
    """

    rules: tuple[Rule, ...] = ()
    crawl_delay: float | None = None
    sitemaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def allowed(self, url_or_path: str) -> bool:
        """May the URL be fetched? The rules see its path and query, never its host. robots.txt itself always may."""
        if not self.rules:
            return True
        path = _path_of(url_or_path)
        if path == "/robots.txt":
            return True
        # Sorted by length, Allow first: the first match is the one that counts.
        return next((rule.allow for rule in self.rules if rule.matches(path)), True)

    def delay(self, cap: float) -> float:
        """Seconds between two requests: the site's Crawl-delay, at most ``cap``; 0.0 when it states none."""
        return 0.0 if self.crawl_delay is None else min(self.crawl_delay, cap)


ALLOW_ALL = Robots()
DISALLOW_ALL = Robots(rules=(Rule(allow=False, parts=("/",), anchored=False, length=1),))


@dataclass(frozen=True, slots=True)
class RobotsVerdict:
    """What to do after asking for a robots.txt.

    ``basis``: "rules" (it was read), "none" (there is none: everything is allowed), "last_good" (unreachable, the
    rules of before count), "unreachable" (nothing may be fetched: reason robots_unreachable). ``reachable`` is False
    for the last two, so that the caller asks again soon. ``detail`` is for the log.
    """

    robots: Robots
    basis: str
    detail: str

    @property
    def reachable(self) -> bool:
        return self.basis in ("rules", "none")


def judge_robots(
    status: int | None,
    body: bytes = b"",
    content_type: str = "",
    *,
    last_good: Robots | None = None,
    agent: str = PRODUCT_TOKEN,
    detail: str = "",
) -> RobotsVerdict:
    """The verdict on an answer for /robots.txt; ``status`` after redirects, None when there was no answer at all.

    RFC 9309, 2.3.1: 2xx are rules; 4xx is "unavailable", everything is allowed; 5xx and no answer is "unreachable",
    nothing is, unless a copy from before is at hand. 429 is an overload and counts as 5xx; a redirect that was given
    up counts as 4xx (2.3.1.2).
    """
    if status is not None and 200 <= status < 300:
        robots = parse_robots(body, content_type, agent)
        return RobotsVerdict(robots, "rules", "; ".join(robots.notes))
    if status is not None and 300 <= status < 500 and status != 429:
        return RobotsVerdict(ALLOW_ALL, "none", f"status {status}: no robots.txt, everything is allowed")
    what = f"status {status}" if status is not None else detail or "no answer"
    if last_good is not None:
        return RobotsVerdict(last_good, "last_good", f"{what}: the rules of the last visit stay in force")
    return RobotsVerdict(DISALLOW_ALL, "unreachable", f"{what}: nothing may be fetched (RFC 9309, 2.3.1.4)")


def parse_robots(body: bytes, content_type: str = "", agent: str = PRODUCT_TOKEN) -> Robots:
    """The rules of a robots.txt for ``agent``, or for ``*`` where it has no group of its own. Never raises.

    An HTML page in place of a robots.txt holds no rules, and ``notes`` says so.
    """
    notes: list[str] = []
    if len(body) > MAX_ROBOTS_BYTES:
        body = body[: body.rfind(b"\n", 0, MAX_ROBOTS_BYTES) + 1 or MAX_ROBOTS_BYTES]
        notes.append(f"only the first {MAX_ROBOTS_BYTES} bytes were read")
    text = _decode(body)
    if _HTML.match(text):
        kind = f" ({content_type})" if content_type else ""
        return Robots(notes=(f"an HTML page was served as robots.txt{kind}: no rules",))
    parser = _Parser(notes)
    for line in re.split(r"[\r\n]+", text):
        parser.line(line)
    return parser.robots_for(agent)


class _Group:
    """The lines of all groups that name one token."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.delay: float | None = None


class _Parser:
    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self._groups: dict[str, _Group] = {}
        self._current: list[_Group] = []
        self._started = False
        self._naming = False
        self._sitemaps: list[str] = []

    def line(self, line: str) -> None:
        line = line.split("#", 1)[0].strip()
        name, colon, value = line.partition(":")
        if not colon:
            found = _WITHOUT_COLON.match(line)
            name, value = found.groups() if found else ("", "")
        key, value = _KEYS.get(name.strip().lower()), value.strip()
        if key == "user-agent":
            self._agent(value)
        elif key in ("allow", "disallow"):
            self._rule(key, value)
        elif key == "crawl-delay":
            self._delay(value)
        elif key == "sitemap" and value:
            self._sitemaps.append(value)

    def _agent(self, value: str) -> None:
        if not self._naming:
            self._current = []
            self._naming = self._started = True
        # "Name/1.0 (+https://...)" names the product too
        named = _TOKEN.match(value)
        product = named.group(0).lower() if named else "*" if value.split()[:1] == ["*"] else ""
        if product:
            self._current.append(self._groups.setdefault(product, _Group()))

    def _inside(self, key: str) -> bool:
        if not self._started:
            self._note(f"{key} before the first User-agent, ignored (RFC 9309, 2.2.1)")
            return False
        self._naming = False
        return True

    def _note(self, note: str) -> None:
        if note not in self._notes:
            self._notes.append(note)

    def _rule(self, key: str, value: str) -> None:
        if not self._inside(key.capitalize()) or not value:
            return  # an empty Disallow forbids nothing
        rule = _read_rule(value, allow=key == "allow")
        if rule is None:
            self._note(f"{key.capitalize()} {value[:60]!r} is no path, ignored")
            return
        for group in self._current:
            group.rules.append(rule)

    def _delay(self, value: str) -> None:
        if not self._inside("Crawl-delay"):
            return
        number = _NUMBER.match(value)
        seconds = float(number.group(0)[:20]) if number else math.nan
        if not math.isfinite(seconds):
            self._note(f"Crawl-delay {value[:60]!r} is no number of seconds, ignored")
            return
        for group in self._current:
            group.delay = seconds if group.delay is None else max(group.delay, seconds)

    def robots_for(self, agent: str) -> Robots:
        group = self._groups.get(agent.lower()) or self._groups.get("*")
        sitemaps = tuple(dict.fromkeys(self._sitemaps))
        if group is None:
            return Robots(sitemaps=sitemaps, notes=tuple(self._notes))
        ordered = sorted(dict.fromkeys(group.rules), key=lambda rule: (-rule.length, not rule.allow))
        return Robots(tuple(ordered), group.delay, sitemaps, tuple(self._notes))


def _decode(body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    return body.decode("utf-8-sig", "replace").replace("\x00", "")


def _read_rule(value: str, *, allow: bool) -> Rule | None:
    """A rule of a path pattern; None when the value is no path. A full URL counts by its path."""
    if value[:8].lower().startswith(("http://", "https://")):
        value = re.sub(r"^https?://[^/]*", "", value, flags=re.IGNORECASE) or "/"
    if not value.startswith(("/", "*")) or len(value) > MAX_PATTERN:
        return None
    anchored = value.endswith("$")
    if anchored:
        value = value[:-1]
    pattern = re.sub(r"\*+", "*", value)
    pieces = pattern.split("*")
    # The part of a pattern after its "?" is a query, also when a wildcard lies between.
    parts = tuple(_normal(piece, in_query="?" in "".join(pieces[:n])) for n, piece in enumerate(pieces))
    return Rule(allow, parts, anchored, sum(map(len, parts)) + pattern.count("*") + anchored)


def _normal(text: str, *, in_query: bool = False) -> str:
    """One spelling for equal paths (RFC 9309, 2.2.2): escapes in capitals and only where needed.

    Unreserved characters are never escaped; those outside ASCII, space, ``*`` and ``$`` always are, and so are
    ``:/?@[]`` in a query; in the path they stay as written, because ``/`` and ``%2F`` are different paths there.
    """
    if not in_query and _PLAIN_PATH.fullmatch(text):
        return text
    out = _ESCAPE.sub(_unescape, text)
    path, mark, query = ("", "", out) if in_query else out.partition("?")
    return _escape_all(path, "*$") + mark + _escape_all(query, "*$:/?@[]")


def _escape_all(text: str, special: str) -> str:
    return "".join(_escape(char) if not "!" <= char <= "~" or char in special else char for char in text)


def _unescape(escape: re.Match[str]) -> str:
    char = chr(int(escape.group(1), 16))
    return char if char in _UNRESERVED else escape.group(0).upper()


def _escape(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))


def _path_of(url_or_path: str) -> str:
    """Path and query in normal form; the fragment never reaches a server."""
    path = url_or_path.split("#", 1)[0]
    if not path.startswith("/"):
        try:
            parts = urlsplit(path)
        except ValueError:
            return "/"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _normal(path)
