"""Submission: a text or an object that the application sends straight to the uploads queue (pure).

Its JSON Schema is `config/submission.schema.json`, which a test holds equal to the models below.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

#: Object metadata that says an object is a submitted text: the SHA-256 of the text. A claim, believed only when
#: the state says the same: an uploader can write any metadata.
SUBMITTED = "modfleet-submitted"
#: How a submitted text begins as an object.
STORED_TEXT = b'{"text": "'
#: Object metadata that names the content and its uploader as the application knows them.
CONTENT_ID, UPLOADER = "content-id", "uploader"
#: Object metadata that names the language in which the uploader is told what was done.
LANGUAGE = "language"
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
#: Earlier messages that a submission may bring along.
MAX_CONTEXT = 20
#: UTF-8 bytes of a name: three times as many still fit into a key, and two of them, encoded, into an object's metadata.
MAX_NAME_BYTES = 256
#: SQS takes no longer message.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_MESSAGE_BYTES = 1_048_576


def _short(name: str) -> str:
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"longer than {MAX_NAME_BYTES} bytes of UTF-8")
    return name


Name = Annotated[str, Field(max_length=MAX_NAME_BYTES), AfterValidator(_short)]


class Reference(BaseModel):
    """An object that is in the uploads bucket already."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(min_length=1, max_length=1024, description="as it is, not URL-encoded")
    version_id: str | None = Field(None, min_length=1, max_length=1024, description="by default the current one")


class Submission(BaseModel):
    """A text or an object to be moderated, named by the application that shows it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"oneOf": [{"required": ["text"]}, {"required": ["object"]}]}
    )

    modfleet: Literal["submit"] = Field(description="tells this from an S3 event")
    content_id: Annotated[str, Field(min_length=1, max_length=MAX_NAME_BYTES), AfterValidator(_short)] = Field(
        description="the application's own name of the content, at most 256 bytes of UTF-8; notices repeat it"
    )
    surface: str = Field(
        "", description="where it shows, by the policy's name; a text needs one, an object's key says it"
    )
    uploader: Name = Field("", description="who wrote or uploaded it, at most 256 bytes of UTF-8")
    language: str = Field(
        "", pattern=f"^({_LANGUAGE.pattern})?$", description="what the uploader reads, as BCP 47 has it: de, pt-BR"
    )
    text: str | None = Field(None, min_length=1, description="what to moderate")
    reference: Reference | None = Field(None, alias="object", description="or the object to moderate")
    context: tuple[str, ...] = Field(
        (), max_length=MAX_CONTEXT, description="earlier messages, oldest first; they are read, not judged"
    )

    @model_validator(mode="after")
    def _one_thing(self) -> Submission:
        if (self.text is None) == (self.reference is None):
            raise ValueError("a submission has either a text or an object")
        if self.text is not None and not self.surface:
            raise ValueError("a text needs a surface")
        return self

    @property
    def text_sha256(self) -> str:
        """Tells the text from other texts under the same content id; empty where it is an object."""
        return "" if self.text is None else _sha256(self.text)

    def body(self) -> bytes:
        """A text as the object that it is stored as: JSON, the same bytes each time.

        Without its context: the public may read the object, and nobody masks what others have said before.
        """
        return json.dumps({"text": self.text}, ensure_ascii=False).encode()

    def metadata(self) -> dict[str, str]:
        """What the object's metadata says of it."""
        names = {CONTENT_ID: self.content_id, UPLOADER: self.uploader, LANGUAGE: self.language}
        names |= {SUBMITTED: self.text_sha256}
        return {name: to_header(said) for name, said in names.items() if said}

    def message(self) -> str:
        """The body of the message that brings it."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)


def is_language(said: str) -> bool:
    """Whether this may name a language, as BCP 47 writes them: de, pt-BR, zh-Hant."""
    return bool(_LANGUAGE.fullmatch(said))


def text_key(prefix: str, content_id: str) -> str:
    """Where a submitted text is stored, under its surface's prefix."""
    return f"{prefix}submitted/{quote(content_id, safe='')}.json"


def text_sha256_in(body: bytes) -> str:
    """`Submission.text_sha256` of a stored text; empty where the body is none."""
    try:
        text = json.loads(body)["text"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return _sha256(text) if isinstance(text, str) else ""


def to_header(text: str) -> str:
    """The text as object metadata, which is ASCII: as it is, else encoded as RFC 2047 says, which S3 does too."""
    if text.isascii() and text.isprintable() and text == text.strip() and "=?" not in text:
        return text
    return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?="


def from_header(said: str) -> str:
    """What metadata says in plain letters. S3 hands over what is not ASCII encoded by RFC 2047.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
    """
    if "=?" not in said:
        return said
    try:
        return str(make_header(decode_header(said)))
    except (HeaderParseError, LookupError, ValueError):
        return said


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
