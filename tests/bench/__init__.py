"""What modfleet costs beside stock Celery and a loop written by hand: `make bench`."""
