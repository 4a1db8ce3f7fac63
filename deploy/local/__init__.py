"""The local cloud: AWS on a laptop, started and ended by `deploy.local.run.LocalCloud`."""
