"""The queue from request threads to the database thread."""

from __future__ import annotations

import queue
from typing import Final

from webhook.database.thread_messages import Message

MOST_WAITING: Final = 10_000
"""The maximum number of messages that wait; a further one is answered as if the database were unavailable."""

MESSAGES_AT_ONCE: Final = 500
"""The maximum number of messages that are answered together."""


class Inbox:
    """A bounded queue; ``put`` raises ``queue.Full`` if it is full."""

    def __init__(self) -> None:
        self._messages: queue.Queue[Message] = queue.Queue(MOST_WAITING)

    def put(self, message: Message) -> None:
        self._messages.put_nowait(message)

    def wait(self, seconds: float) -> list[Message]:
        """Wait for a message for at most ``seconds``. Return it with further ones, ``MESSAGES_AT_ONCE`` in total; an
        empty list if none arrives."""
        try:
            first = self._messages.get(timeout=max(0.001, seconds))
        except queue.Empty:
            return []
        return [first, *self.drain(MESSAGES_AT_ONCE - 1)]

    def drain(self, at_most: int = MESSAGES_AT_ONCE) -> list[Message]:
        """Return the messages that are in the queue now, without waiting."""
        messages: list[Message] = []
        try:
            while len(messages) < at_most:
                messages.append(self._messages.get_nowait())
        except queue.Empty:
            pass
        return messages
