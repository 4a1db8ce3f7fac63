"""`python -m deploy.local.cloud`: ministack and the edge in one process, provisioned from the templates.

With `--endpoint` somebody else serves AWS (LocalStack), and ministack only what that lacks.
"""

from __future__ import annotations

import argparse
import html
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.asgi import LOOPBACK, App, Message, Receive, Scope, Send, read_body
from deploy.local.aws import KEY, client
from deploy.local.edge import Edge
from deploy.local.outside import Front
from deploy.local.provision import provision
from deploy.local.ranges import SlicesVersions
from deploy.local.serving import Site, bind, run, serve

#: CloudFront's CreateInvalidation, https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
_INVALIDATION = re.compile(r"/2020-05-31/distribution/[^/]+/invalidation/?")
_CREATED = 201


class PurgesEdge:
    """ASGI middleware: once ministack accepted an invalidation, the edge forgets its paths before the answer leaves."""

    def __init__(self, app: App, edge: Edge) -> None:
        self._app = app
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through, watching for invalidations."""
        if scope["type"] != "http" or scope["method"] != "POST" or not _INVALIDATION.fullmatch(scope["path"]):
            return await self._app(scope, receive, send)
        body = await read_body(receive)
        paths = [html.unescape(path) for path in re.findall(r"<Path>(.*?)</Path>", body.decode(), re.DOTALL)]

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def purge_first(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == _CREATED:
                self._edge.purge(paths)
            await send(message)

        return await self._app(scope, replay, purge_first)


def ministack(port: int) -> App:
    """The ministack application, told where it is served; it reads the environment once, at import."""
    os.environ.update(
        MINISTACK_HOST=LOOPBACK,
        GATEWAY_PORT=str(port),
        LOG_LEVEL="WARNING",
        # It would listen on all interfaces for MQTT and SFTP, and tidy up Docker containers: none of it is ours.
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        PERSIST_STATE="0",
        DOCKER_HOST="unix:///nonexistent/docker.sock",
        # Of presigned URLs it checks the signature: by the one key pair that everybody here has.
        AWS_ACCESS_KEY_ID=KEY,
        AWS_SECRET_ACCESS_KEY=KEY,
    )
    from ministack.app import app  # noqa: PLC0415  # after the environment above

    logging.getLogger().setLevel(logging.WARNING)
    served: App = app
    return served


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the cloud is served, and where its AWS is if not there."""

    host: str
    port: int
    edge_port: int
    #: Of an AWS that is there already; None serves ministack.
    endpoint: str | None
    key: str


async def serve_cloud(place: Place, *, until_eof: bool) -> None:
    """Serve the cloud and its edge.

    Announces `endpoint`, `front` (S3 and CloudFront, the same where nothing is outside), `public_url` and the stacks'
    outputs.
    """
    bound = bind(place.port, host=place.host)
    front = f"http://{LOOPBACK}:{bound.getsockname()[1]}"
    endpoint = place.endpoint or front
    edge = Edge(client("s3", endpoint, key=place.key))
    ours: App = PurgesEdge(SlicesVersions(ministack(bound.getsockname()[1])), edge)
    cloud = Site(Front(place.endpoint, ours) if place.endpoint else ours, bound, lifespan=True)
    public = Site(edge, bind(place.edge_port, host=place.host))

    def announce() -> Mapping[str, str]:
        outputs = provision(endpoint, key=place.key, edge=front if place.endpoint else None)
        edge.bucket = outputs["UploadsBucket"]
        return outputs | {"endpoint": endpoint, "front": front, "public_url": public.url}

    await serve([cloud, public], announce=announce, until_eof=until_eof)


def main() -> None:
    """Read the options and serve until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of the AWS endpoint (default: a free one)")
    parser.add_argument("--edge-port", type=int, default=0, help="port of the public URL (default: a free one)")
    parser.add_argument("--host", default=LOOPBACK, help="where to listen (default: %(default)s)")
    parser.add_argument("--endpoint", help="an AWS that is there already, such as LocalStack")
    parser.add_argument("--key", default=KEY, help="the access key; 12 digits are an account (default: %(default)s)")
    parser.add_argument("--until-eof", action="store_true", help="also end when standard input ends")
    chosen = vars(parser.parse_args())
    until_eof = chosen.pop("until_eof")
    run(serve_cloud(Place(**chosen), until_eof=until_eof))


if __name__ == "__main__":
    main()
