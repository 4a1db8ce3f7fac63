"""The review console: web pages on which people look at cases and rule on them."""
