"""A message body becomes items (pure)."""
