"""The process: engine cycle, outbox, supervised prober, and the place on the machine that it claims."""
