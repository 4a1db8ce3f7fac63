"""HTTP to calls and back, for the protocols of the services: JSON 1.1 and REST-JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from deploy.local.ai.validation import Mistyped, Unfit, read

#: Error codes that mean the service's own trouble, where the model does not give a status.
_STATUS = {"InternalServerError": 500, "InternalServerException": 500, "ServiceUnavailableException": 503}
_BAD_REQUEST = 400
#: The services that are asked by path; all others by header.
_REST = ("bedrock-runtime", "bedrock")


class Refusal(Exception):
    """The service refuses the call: an error code that botocore will parse, and a message."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True, slots=True)
class Call:
    """One parsed request."""

    #: `rekognition`, `comprehend`, `bedrock-runtime` or `bedrock`.
    service: str
    operation: OperationModel
    #: By the model's member names; blobs are bytes.
    params: dict[str, Any]

    @property
    def name(self) -> str:
        """`service.Operation`."""
        return f"{self.service}.{self.operation.name}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Protocol:
    """Parses requests of the stand-in's services by their botocore models, and serialises answers."""

    def __init__(self) -> None:
        loader = Loader()
        self._json = [_model(loader, name) for name in ("rekognition", "comprehend")]
        rest = [_model(loader, name) for name in _REST]
        operations = [model.operation_model(name) for model in rest for name in model.operation_names]
        self._routes = [(_route(operation), operation) for operation in operations]

    def parse(self, method: str, raw_path: str, *, headers: Mapping[str, str], body: bytes) -> Call:
        """The call that a request makes; raises Refusal with the code that the service would give."""
        target = headers.get("x-amz-target")
        uri: dict[str, str] = {}
        if target is not None:
            operation = self._targeted(target)
        else:
            operation, uri = self._routed(method, raw_path)
        service = operation.service_model.service_name
        return Call(service, operation, _params(operation, uri | _json(body)))

    def answer(self, call: Call, result: Mapping[str, Any]) -> Answer:
        """`result` as HTTP. It is held against the model too: an answer that AWS could not give is a defect here."""
        assert call.operation.output_shape is not None
        read(result, call.operation.output_shape)
        return Answer(200, _headers(call.service), json.dumps(result).encode())

    def refuse(self, refusal: Refusal, *, call: Call | None = None) -> Answer:
        """An error answer that botocore reads as `refusal.code`."""
        document = {"__type": refusal.code, "message": refusal.message}
        headers = {**_headers(call.service if call else ""), "x-amzn-errortype": refusal.code}
        return Answer(_status(refusal.code, call), headers, json.dumps(document).encode())

    def _targeted(self, target: str) -> OperationModel:
        prefix, _, name = target.partition(".")
        for model in self._json:
            if model.metadata["targetPrefix"] == prefix and name in model.operation_names:
                return model.operation_model(name)
        raise Refusal("UnknownOperationException", "the stand-in knows no such operation")

    def _routed(self, method: str, raw_path: str) -> tuple[OperationModel, dict[str, str]]:
        for (verb, pattern), operation in self._routes:
            match = pattern.fullmatch(raw_path)
            if match and verb == method:
                return operation, {name: unquote(value) for name, value in match.groupdict().items()}
        raise Refusal("UnknownOperationException", "the stand-in knows no such operation")


def _model(loader: Loader, name: str) -> ServiceModel:
    return ServiceModel(loader.load_service_model(name, "service-2"), service_name=name)


def _route(operation: OperationModel) -> tuple[str, re.Pattern[str]]:
    pattern = re.sub(r"\\{(\w+)\\?\+?\\}", r"(?P<\1>[^/]+)", re.escape(operation.http["requestUri"]))
    return operation.http["method"], re.compile(pattern)


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        raise Refusal("SerializationException", "the body is not JSON") from None
    if not isinstance(document, dict):
        raise Refusal("SerializationException", "the body is not a JSON object")
    return document


def _params(operation: OperationModel, document: Mapping[str, Any]) -> dict[str, Any]:
    assert operation.input_shape is not None
    try:
        params: dict[str, Any] = read(document, operation.input_shape)
    except Mistyped as mistyped:
        raise Refusal("SerializationException", str(mistyped)) from None
    except Unfit as unfit:
        if "less than" in unfit.problems.get("image.bytes", ""):
            raise Refusal("ImageTooLargeException", "Input image size exceeds limit") from None
        # The front end of each of the three services answers a broken constraint with this code.
        raise Refusal("ValidationException", str(unfit)) from None
    return params


def _headers(service: str) -> dict[str, str]:
    return {"content-type": "application/json" if service in _REST else "application/x-amz-json-1.1"}


def _status(code: str, call: Call | None) -> int:
    shapes = call.operation.error_shapes if call else []
    for shape in shapes:
        if shape.name == code and "httpStatusCode" in shape.metadata.get("error", {}):
            return int(shape.metadata["error"]["httpStatusCode"])
    return _STATUS.get(code, _BAD_REQUEST)
