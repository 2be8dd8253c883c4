"""A delivery pipeline: from a requirements file to a deployed, answering web service."""
