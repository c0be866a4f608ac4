"""``gleanerconfig.yaml``: the project's settings and its sources (contracts.md, section 1)."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from croniter import croniter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

SourceType = Literal["sitemap", "sitegraph", "robots", "api", "googledrive"]
IDENTIFIER_TYPES = ("identifiersha", "identifierstring", "normalizedjsonsha", "filesha")
FIX_OPTIONS = {"strict": 0, "https": 1, "http": 2, "standardizedhttps": 3, "standardizedhttp": 4}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _trim(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _fix_option(value: Any) -> Any:
    return FIX_OPTIONS.get(value.strip().lower(), value) if isinstance(value, str) else value


def _flag(value: Any) -> Any:
    return {"": False}.get(value.strip().lower(), value.strip().lower()) if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[
    str, BeforeValidator(lambda value: str(value).strip() if isinstance(value, (str, int, float)) else value)
]


class Model(BaseModel):
    """Frozen; unknown keys are kept in ``model_extra`` and warned about when the file is read."""

    model_config = ConfigDict(frozen=True, extra="allow", str_strip_whitespace=True, coerce_numbers_to_str=False)


class Breaker(Model):
    """When a source counts as down: the first pages all fail, or too large a share of them."""

    first: int = Field(20, ge=1, description="stop when the first N pages all fail")
    share: float = Field(0.25, ge=0, le=1, description="stop when more than this share fails")
    after: int = Field(100, ge=1, description="... once this many pages were tried")


class Thresholds(Model):
    """What a release must keep to be published; shares of 1."""

    max_lost: float = Field(0.25, ge=0, le=1, description="share of documents that may be lost in conversion")
    max_drop: float = Field(0.5, ge=0, le=1, description="share of documents that may go against the release before")
    shacl_blocks: Flag = Field(False, description="a shape that is violated keeps the release back")


class Source(Model):
    """One source: a repository that publishes JSON-LD. ``name`` is partition key, S3 and URN segment."""

    name: str = Field(description="partition key, S3 path segment and URN segment: a-z, 0-9, _ and -; unique")
    propername: Text = Field("", description="name for people")
    sourcetype: Annotated[SourceType, BeforeValidator(_lower)] = Field("sitemap", description="how its pages are found")
    active: Flag = Field(True, description="false: not harvested")
    url: str = Field(description="sitemap, robots.txt, sitegraph, API template with one %d, or Drive folder")
    domain: Text = Field("", description="where robots.txt is looked up; empty: scheme and host of url")
    pid: Text = Field("", description="persistent identifier of the organization")
    logo: Text = Field("", description="picture for portals")
    headless: Flag = Field(False, description="render every page with a browser")
    headlesswait: float = Field(0, description="seconds; negative: never fall back to rendering")
    delay: int = Field(0, ge=0, description="milliseconds between requests to this host")
    identifiertype: Annotated[str, BeforeValidator(_lower)] = Field(
        "identifiersha", description="identifiersha, identifierstring, normalizedjsonsha or filesha"
    )
    identifierpath: Text = Field("", description="JSONPaths, separated by commas; the last listed is tried first")
    apipagelimit: int = Field(0, ge=0, description="pages of an api source; 0: until it ends")
    fixcontextoption: Annotated[int, BeforeValidator(_fix_option)] = Field(
        0, ge=0, le=4, description="0 strict, 1 https, 2 http, 3 standardizedHttps, 4 standardizedHttp"
    )
    acceptcontenttype: str = Field("application/ld+json, text/html", description="the Accept header")
    jsonprofile: Text = Field("", description="read by older tools only")
    credentialsfile: Text = Field("", description="service account of a googledrive source")
    schedule: Text = Field("", description="cron of this source; empty: the default schedule")
    timezone: Text = Field("", description="time zone of the schedule; empty: the default one")

    # ours: politeness, hostility, patience
    rude: Flag = Field(False, description="ignore robots.txt; needs a contact")
    contact: Text = Field("", description="mail or URL that the User-Agent names")
    crawl_delay_cap: float = Field(5.0, ge=0, description="seconds; a longer Crawl-delay is cut to this")
    threads: int = Field(0, ge=0, le=64, description="requests at once; 0: the summoner's threads")
    verify_tls: Flag = Field(True, description="false: take any certificate; the harvest says so")
    allow_private: Flag = Field(False, description="pages may live on private addresses")
    trust_lastmod: Flag = Field(False, description="a page whose sitemap lastmod did not move is not fetched")
    max_urls: int = Field(5_000_000, ge=1, description="pages at most")
    max_page_bytes: int = Field(32 * 1024 * 1024, ge=1_000, description="bytes of a page at most, unpacked")
    page_timeout: float = Field(60.0, gt=0, description="seconds for one page, redirects included")
    retries: int = Field(2, ge=0, le=10, description="further attempts after a temporary fault")
    repair: Flag = Field(True, description="mend broken JSON where the meaning is plain, and say so")
    shrink_limit: float = Field(0.5, ge=0, le=1, description="share of pages that may go at once")
    breaker: Breaker = Field(Breaker(), description="when the source counts as down")
    thresholds: Thresholds = Field(Thresholds(), description="what a release must keep")

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            hint = re.sub(r"[^a-z0-9_-]+", "_", value.lower()).strip("_-") or "name"
            raise ValueError(f"a name is made of a-z, 0-9, _ and -, and starts with a letter or digit; use {hint}")
        return value

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a url starts with http:// or https:// and names a host")
        return value

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, value: str) -> str:
        if value and not croniter.is_valid(value):
            raise ValueError("a schedule is a cron expression of five fields, such as 0 3 * * 0, or @weekly")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Source:
        if self.sourcetype == "api" and "%d" not in self.url:
            raise ValueError("the url of an api source holds one %d, the number of the page")
        if self.rude and not self.contact:
            raise ValueError("a source that ignores robots.txt (rude) needs a contact")
        return self

    @property
    def effective_identifier_type(self) -> str:
        """The type that is really used: an empty or unknown one, and ``jsonsha``, mean ``filesha``."""
        return self.identifiertype if self.identifiertype in IDENTIFIER_TYPES else "filesha"

    @property
    def identifier_paths(self) -> tuple[str, ...]:
        """The source's own JSONPaths, in the order they are tried: the last listed first."""
        return tuple(reversed([path.strip() for path in self.identifierpath.split(",") if path.strip()]))

    @property
    def host(self) -> str:
        """Host and port of the source's url, in lower case: what politeness is counted by."""
        return urlsplit(self.url).netloc.rpartition("@")[2].lower()

    @property
    def robots_base(self) -> str:
        """Scheme and host under which ``/robots.txt`` is looked up."""
        parts = urlsplit(self.domain if urlsplit(self.domain).scheme else self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def fingerprint(self, project: ProjectConfig) -> str:
        """A digest of everything that changes what a harvest of this source finds; 16 hex digits."""
        relevant = {
            "source": self.model_dump(mode="json", exclude={"active", "schedule", "timezone", "logo"}),
            "context": project.context.model_dump(mode="json"),
            "summoner": project.summoner.model_dump(mode="json", include={"mode", "headless"}),
        }
        return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()[:16]


class ContextSettings(Model):
    """``context``: whether fix-ups are made."""

    cache: Flag = Field(True, description="keep remote contexts in the bucket")
    strict: Flag = Field(False, description="true switches the context fix-ups off")


class ContextMap(Model):
    """``contextmaps``: an exact context URL and the document that stands for it."""

    prefix: str
    file: str


class SummonerSettings(Model):
    """``summoner``: how harvests are made, for all sources."""

    mode: Annotated[Literal["full", "diff"], BeforeValidator(_lower)] = Field(
        "diff", description="full asks for every page; diff asks conditionally"
    )
    threads: int = Field(5, ge=1, le=64, description="requests at once for one source")
    delay: int = Field(0, ge=0, description="milliseconds between requests to a host")
    headless: Text = Field("", description="DevTools URL of a browser; the environment wins")
    after: Text = Field("", description="read by older tools only")
    objects: Flag = Field(True, description="keep the object view summoned/<source>/")
    provobjects: Flag = Field(False, description="write prov/<source>/<id>.jsonld too")


class ProjectConfig(Model):
    """The whole file. ``minio`` in it is read by older tools; the environment wins, so Sheaf ignores it."""

    context: ContextSettings = ContextSettings()
    contextmaps: tuple[ContextMap, ...] = ()
    summoner: SummonerSettings = SummonerSettings()
    sources: tuple[Source, ...]

    def source(self, name: str) -> Source | None:
        """The source of that name, active or not."""
        return next((source for source in self.sources if source.name == name), None)

    def active_names(self) -> list[str]:
        """Names of the active sources, sorted."""
        return sorted(source.name for source in self.sources if source.active)
