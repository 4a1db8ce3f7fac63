"""The back catalog: plan what a rescan would look at and cost, enqueue it, and work it."""
