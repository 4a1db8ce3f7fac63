"""What is put on the queue: one body per workload, and the same asked for in Celery's own envelope."""

from __future__ import annotations

import base64
import json

from tests.bench.fake_aws import NUMBER

#: Workload -> the body that modfleet and the floor are given.
#:
#: - `plumbing`: S3's test event, which asks for nothing;
#: - `waiting`: a check on a video that nobody knows: one DynamoDB read, which the server may take its time for;
#: - `pipeline`: an image never seen before.
BODIES = {
    "plumbing": json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bench-uploads", "n": NUMBER}),
    "waiting": json.dumps(
        {
            "modfleet": "video-check",
            "item": {
                "bucket": "bench-uploads",
                "key": f"feed/{NUMBER}.mp4",
                "size": 81_920,
                "etag": "d41d8cd98f00b204e9800998ecf8427e",
                "version_id": "v1",
                "sequencer": "",
                "event_time": "2026-11-21T12:00:00+00:00",
            },
            "job_id": "job",
            "check": 1,
        }
    ),
    "pipeline": json.dumps(
        {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": "eu-central-1",
                    "eventTime": "2026-11-21T12:00:00.000Z",
                    "eventName": "ObjectCreated:Put",
                    "userIdentity": {"principalId": "AWS:AROAEXAMPLE:application"},
                    "requestParameters": {"sourceIPAddress": "192.0.2.7"},
                    "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8xR"},
                    "s3": {
                        "s3SchemaVersion": "1.0",
                        "configurationId": "uploads",
                        "bucket": {
                            "name": "bench-uploads",
                            "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                            "arn": "arn:aws:s3:::bench-uploads",
                        },
                        "object": {
                            "key": f"feed/{NUMBER}.jpg",
                            "size": 81_920,
                            # Of bytes that nobody has seen: the fleet remembers.
                            "eTag": f"d41d8cd98f00b204e980099{NUMBER}",
                            "versionId": "v1",
                            "sequencer": "0055AED6DCD90281E5",
                        },
                    },
                }
            ]
        }
    ),
}


def enveloped(workload: str) -> str:
    """The same workload as Celery's producer would write it (task protocol 2, kombu's virtual message).

    The task finds what to do by its id: a number inside base64 would have to fall on its boundaries.
    """
    arguments = json.dumps([[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    return json.dumps(
        {
            "body": base64.b64encode(arguments.encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {
                "lang": "py",
                "task": f"bench.{workload}",
                "id": f"task-{NUMBER}",
                "shadow": None,
                "eta": None,
                "expires": None,
                "group": None,
                "group_index": None,
                "retries": 0,
                "timelimit": [None, None],
                "root_id": f"task-{NUMBER}",
                "parent_id": None,
                "argsrepr": "()",
                "kwargsrepr": "{}",
                "origin": "bench",
                "ignore_result": True,
                "stamped_headers": None,
                "stamps": {},
            },
            "properties": {
                "correlation_id": f"task-{NUMBER}",
                "reply_to": "bench",
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": "uploads"},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": f"tag-{NUMBER}",
            },
        }
    )
