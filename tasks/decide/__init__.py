"""Findings and policy become a decision (pure)."""
