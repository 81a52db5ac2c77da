"""What decides, and nothing else: pure functions from alerts, actions and time to the events of an incident."""
