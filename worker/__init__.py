"""The machine that runs tasks: Celery app, SQS transport, wiring, CLI."""
