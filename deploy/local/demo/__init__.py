"""`python -m deploy.local.demo`: the main job on a laptop, shown and then checked."""
