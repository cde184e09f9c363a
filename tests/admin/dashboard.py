"""Helpers that read the dashboard: its cards, and the lists behind their links."""

from __future__ import annotations

import re
from html import unescape

from django.test import Client

LIVE = "/admin/dashboard/?hours=24"


def cards(page: str) -> dict[str, tuple[str, str]]:
    """Return number and link of each card by its title."""
    pattern = r'<a (?:class="swapper-card[^"]*" )?href="([^"]+)">\s*<h2>([^<]+)</h2>\s*<strong>([^<]+)</strong>'
    return {title: (number, unescape(link)) for link, title, number in re.findall(pattern, page)}


def rows_of(client: Client, link: str) -> int:
    """Return the number of rows of the list behind a link."""
    page = client.get(link).content.decode()
    return page.count('name="_selected_action"')
