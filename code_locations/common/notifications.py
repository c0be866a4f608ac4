"""Messages to people: one an event, and Slack being down fails nothing."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sheaf.settings import Settings

TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """What a person needs to know of a failed run."""

    subject: str
    step: str
    reason: str
    last_good: str
    link: str

    def text(self) -> str:
        """The message: what, why, what still stands, where to look."""
        lines = [f":rotating_light: *{self.subject}* failed in `{self.step}`", self.reason[:1_500]]
        if self.last_good:
            lines.append(f"Still in force: {self.last_good}")
        return "\n".join([*lines, f"<{self.link}|Look at the run>"])


def notify(settings: Settings, text: str, log: logging.Logger) -> bool:
    """Post to the Slack channel of the settings; false, with a line in the log, when that cannot be done."""
    token = settings.slack_token.get_secret_value()
    if not token or not settings.slack_channel:
        return False
    client = WebClient(token=token, base_url=settings.slack_api_url, timeout=TIMEOUT_SECONDS)
    try:
        client.chat_postMessage(channel=settings.slack_channel, text=text, unfurl_links=False)
    except (SlackApiError, OSError) as error:
        log.warning("Slack did not take the message: %s", error)
        return False
    return True
