"""A corpus of what communities upload: every format, healthy, broken and lying, and how each file must end."""
