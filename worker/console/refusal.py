"""Refusals: why a request was not done, said to a person."""

from __future__ import annotations


class Refused(Exception):
    """A request that is not done; becomes a page, or a fragment where htmx asked."""

    def __init__(self, status: int, title: str, text: str, *, retry_after: int | None = None) -> None:
        """`status` is HTTP's; `title` and `text` are read by the visitor, and tell nothing of the content.

        `retry_after` is in how many seconds it would be done.
        """
        super().__init__(title)
        self.status, self.title, self.text, self.retry_after = status, title, text, retry_after


class SignInFirst(Exception):
    """Nobody is signed in, or not any more."""
