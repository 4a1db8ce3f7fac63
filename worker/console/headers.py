"""What every answer tells the browser: run nothing but our own scripts, load nothing but our buckets' content."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from tasks.desk import Desk

#: Tells the browser to run `hx-csp`'s elements only with the page's own nonce.
ALWAYS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Vary": "HX-Request",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
HTTPS_ONLY: Mapping[str, str] = {"Strict-Transport-Security": "max-age=63072000"}


def new_nonce() -> str:
    """What the scripts of one page are known by."""
    return secrets.token_urlsafe(18)


def policy_for(nonce: str, *, media: Iterable[str], form_action: Iterable[str] = ()) -> str:
    """The Content-Security-Policy of one page.

    `media` are the origins from which content comes, by presigned URLs; `form_action` where a sign-in leads.
    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
    """
    sources = " ".join(("'self'", *media))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            "style-src 'self'",
            f"img-src {sources}",
            f"media-src {sources}",
            "connect-src 'self'",
            "font-src 'self'",
            " ".join(("form-action 'self'", *form_action)),
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types htmx hx-csp",
        )
    )


def media_origins(desk: Desk) -> tuple[str, ...]:
    """Where presigned URLs of the buckets lead: exactly these hosts, as anybody can have a bucket at another one."""
    settings = desk.settings
    buckets = (settings.uploads_bucket, *settings.more_uploads_buckets, settings.quarantine_bucket)
    origins = []
    for bucket in buckets:
        url = urlsplit(desk.aws.s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"}))
        origins.append(f"{url.scheme}://{url.netloc}")
    return tuple(dict.fromkeys(origins))
