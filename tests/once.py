"""What a process of the tests does once that the system does once a start: a fifth of the suite's time was this.

botocore parses its models for each client, and each desk parses the policy, always to the same.
"""

from __future__ import annotations

from functools import cache

import yaml
from botocore.loaders import JSONFileLoader

_read = JSONFileLoader.load_file


def parse_once() -> None:
    """From here on in this process."""
    once, loader = cache(_read), JSONFileLoader()
    JSONFileLoader.load_file = lambda _, path: once(loader, path)
    # Nodes are only read, and what is wrong with a text is raised each time.
    yaml.compose = cache(yaml.compose)
