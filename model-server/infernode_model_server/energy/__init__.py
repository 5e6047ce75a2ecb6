"""Watt-hours of a job: read from meters where there are any, estimated elsewhere."""
