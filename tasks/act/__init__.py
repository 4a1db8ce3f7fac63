"""A decision becomes actions, and actions become receipts."""
