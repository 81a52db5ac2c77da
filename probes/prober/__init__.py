"""The prober as a process: when journeys run, what their results mean as alerts, and how both are reported."""
