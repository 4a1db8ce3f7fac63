"""An item becomes findings: image, video, text, PII."""
