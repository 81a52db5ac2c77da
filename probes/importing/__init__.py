"""From what a browser or curl sent to a journey that can be run."""
