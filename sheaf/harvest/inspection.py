"""One page, by exactly the way of a harvest, with every step's verdict kept to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sheaf.config import ProjectConfig, Source
from sheaf.harvest.access import Access
from sheaf.harvest.addresses import Addresses
from sheaf.harvest.contexts import ContextCache, http_fetch
from sheaf.harvest.documents import Document, DocumentRules, Trouble, read_page
from sheaf.harvest.engine import user_agent
from sheaf.harvest.fetching import Answer, Fetcher
from sheaf.harvest.politeness import Politeness
from sheaf.settings import Settings


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a harvest would see: ``refusal`` is robots' reason code, ``answer`` None when nothing was asked for."""

    url: str
    user_agent: str
    refusal: str
    answer: Answer | None
    items: tuple[Document | Trouble, ...]
    rules: DocumentRules

    @property
    def verdict(self) -> str:
        """The state that the manifest would show, with its reason."""
        if self.refusal:
            return f"failed: {self.refusal}"
        if self.answer is not None and self.answer.reason:
            return f"failed: {self.answer.reason}"
        documents = sum(isinstance(item, Document) for item in self.items)
        if documents:
            return f"stored: {documents} document{'s' * (documents != 1)}"
        if not self.items:
            return "no_jsonld: no_script"
        return "invalid_jsonld: " + ", ".join(item.reason for item in self.items if isinstance(item, Trouble))


async def inspect_page(
    url: str, project: ProjectConfig, source: Source, settings: Settings, *, obey_robots: bool = True
) -> Inspection:
    """Ask for one page as the harvest of ``source`` would, unconditionally; nothing is stored."""
    agent = user_agent(settings, source)
    contexts = ContextCache(partial(http_fetch, allow_private=source.allow_private))
    rules = DocumentRules.for_source(source, project, contexts)
    addresses = Addresses(source.host.rpartition(":")[0] or source.host, allow_private=source.allow_private)
    async with Fetcher(source, agent, addresses, Politeness()) as fetcher:
        access = Access(source, fetcher, 0)
        refusal = await access.refusal(url) if obey_robots else ""
        if refusal:
            return Inspection(url, agent, refusal, None, (), rules)
        answer = await fetcher.page(url, {"Accept": source.acceptcontenttype})
    items = () if answer.reason else tuple(read_page(answer.body, answer.content_type, answer.url, rules))
    return Inspection(url, agent, "", answer, items, rules)
