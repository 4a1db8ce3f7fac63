"""One session, typed faults, retry policies: the only maker of boto3 clients."""
