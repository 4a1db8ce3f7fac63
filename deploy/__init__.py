"""Where modfleet runs: on AWS by the template, on a laptop by the local cloud."""
