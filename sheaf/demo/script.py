"""The frozen model of a scripted site. A script is written in YAML (see ``load``) and means exactly what is said here.

Time on a site is counted in *days*: states of the whole site, numbered from 0. Within one day, a path answers its
first, second, ... *visit* in turn, and goes on with its last answer.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sheaf.harvest.states import REASONS, STATES

Quirk = Literal[
    "bom",  # U+FEFF in front of the JSON
    "broken",  # cut in the middle: nothing can repair it
    "cdata",  # <![CDATA[ ... ]]> around the JSON
    "comment",  # <!-- ... --> around the JSON
    "empty",  # nothing in the script
    "empty_object",  # {}
    "entities",  # &quot; in place of every quotation mark
    "missing_value",  # "alternateName": ,
    "raw_newline",  # a line break inside a string
    "trailing_comma",  # a comma behind the last member
]
Place = Literal["head", "body", "after_html", "raw", "javascript", "none"]
Shape = Literal["object", "array", "nested_array", "graph"]
ListingQuirk = Literal[
    "bare_ampersand",  # & in a <loc> that is not written as &amp;
    "bom",
    "duplicates",  # every third URL twice
    "empty",  # a urlset without a URL
    "html",  # an HTML page with status 200 in place of the sitemap
    "latin1",  # an encoding other than UTF-8, named in the XML declaration
    "one_line",  # no line break in the whole file
    "spaces",  # blanks and line breaks inside <loc>
    "truncated",  # the closing tag and half of the last <url> are missing
    "unsorted",
]
ListingKind = Literal["urlset", "index", "text", "rss", "atom", "sitegraph"]


class Frozen(BaseModel):
    """Base of the script's models: immutable, and a key that means nothing is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Expect(Frozen):
    """What a harvest must write into the manifest for a page that it has not seen before: one or more equal rows."""

    state: str = "stored"
    reason: str = ""
    documents: int = 1

    @field_validator("state")
    @classmethod
    def _known_state(cls, value: str) -> str:
        if value not in STATES:
            raise ValueError(f"unknown state {value!r}; one of {', '.join(STATES)}")
        return value

    @field_validator("reason")
    @classmethod
    def _known_reason(cls, value: str) -> str:
        if value and value not in REASONS:
            raise ValueError(f"unknown reason {value!r}; sheaf/harvest/states.py lists them")
        return value

    @property
    def rows(self) -> int:
        """Rows of the manifest: one a document, and one for a page or script that gave none."""
        return max(1, self.documents)


class Script(Frozen):
    """One piece of JSON-LD on a page: its documents, where it stands, and what is wrong with how it is written."""

    documents: tuple[dict[str, Any], ...] = ()
    shape: Shape = "object"
    place: Place = "head"
    type: str = "application/ld+json"
    quirks: tuple[Quirk, ...] = ()


class Answer(Frozen):
    """One answer of the server. ``delay`` in seconds; ``reset_after`` in bytes of the body that are still sent.

    ``etag`` is ``auto`` (made from the body), ``none``, ``changing`` (a new one at each request) or the value itself.
    ``retry_after`` is a number of seconds, or ``date+N``: the same as an HTTP date (RFC 9110, 10.2.3).
    ``charset`` is what the body is written in, ``declared_charset`` what the header says.
    """

    status: int = 200
    delay: float = 0.0
    reset_after: int | None = None
    endless: bool = False
    redirect: str = ""
    retry_after: str = ""
    content_type: str = ""
    charset: str = "utf-8"
    declared_charset: str | None = None
    encoding: Literal["", "gzip", "deflate", "br", "zstd"] = ""
    etag: str = "auto"
    last_modified: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    title: str = ""
    text: str = ""
    body: str | None = None
    scripts: tuple[Script, ...] = ()

    @field_validator("retry_after", mode="before")
    @classmethod
    def _retry_after_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value


class PageDay(Frozen):
    """One page on one day. A page that is not ``present`` answers 404; ``listed`` says whether discovery names it."""

    present: bool = True
    listed: bool = True
    lastmod: str = ""
    answers: tuple[Answer, ...] = (Answer(),)
    expect: tuple[Expect, ...] = (Expect(),)
    rendered: tuple[Expect, ...] = ()


class Page(Frozen):
    """A page: its path on the site (with its query, if any), the case that it stands for, and each of its days."""

    path: str
    case: str = ""
    days: tuple[PageDay, ...]

    def on(self, day: int) -> PageDay:
        """The page on ``day``; days after the last one are like the last one."""
        return self.days[min(day, len(self.days) - 1)]


class ListingDay(Frozen):
    """A sitemap, index, feed or sitegraph on one day. ``pages`` are patterns (fnmatch) over the source's paths."""

    kind: ListingKind = "urlset"
    namespace: str = "http://www.sitemaps.org/schemas/sitemap/0.9"
    gzip: bool = False
    pages: tuple[str, ...] = ("*",)
    children: tuple[str, ...] = ()
    quirks: tuple[ListingQuirk, ...] = ()
    answer: Answer = Answer(etag="none")

    @property
    def readable(self) -> bool:
        """Whether a harvester can read it to its end, if leniently."""
        return self.answer.status == 200 and not {"html", "truncated"} & set(self.quirks)


class Listing(Frozen):
    """One file that names pages, or other such files (``children``)."""

    path: str
    days: tuple[ListingDay, ...]

    def on(self, day: int) -> ListingDay:
        """The listing on ``day``; days after the last one are like the last one."""
        return self.days[min(day, len(self.days) - 1)]


class SourceScript(Frozen):
    """One source of the site. ``url`` is the path that its config names; the others follow from there.

    ``config`` holds further keys of ``gleanerconfig.yaml`` (contracts.md, section 1). ``disallowed`` are the path
    prefixes that the site's robots.txt closes.
    """

    name: str
    title: str
    about: str = ""
    sourcetype: Literal["sitemap", "sitegraph", "robots"] = "sitemap"
    url: str
    config: dict[str, Any] = Field(default_factory=dict)
    listings: tuple[Listing, ...]
    pages: tuple[Page, ...]

    @property
    def entries(self) -> tuple[str, ...]:
        """The listings from which discovery starts: those that no other one names as a child on any day."""
        children = {child for listing in self.listings for day in listing.days for child in day.children}
        return tuple(listing.path for listing in self.listings if listing.path not in children) or (self.url,)


class Site(Frozen):
    """A whole site: its fixed base URL (replaced by where it really runs), its number of days, and its sources."""

    name: str
    base: str
    day_count: int
    robots: str = ""
    sources: tuple[SourceScript, ...]
    tenants: tuple[dict[str, Any], ...] = ()

    def source(self, name: str) -> SourceScript:
        """The source of that name; ``KeyError`` when there is none."""
        for source in self.sources:
            if source.name == name:
                return source
        raise KeyError(f"the site {self.name} has no source {name!r}; it has {', '.join(s.name for s in self.sources)}")

    def page(self, path: str) -> Page:
        """The page at that path; ``KeyError`` when there is none."""
        for source in self.sources:
            for page in source.pages:
                if page.path == path:
                    return page
        raise KeyError(f"the site {self.name} has no page {path!r}")
