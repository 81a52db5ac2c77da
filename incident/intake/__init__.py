"""What other systems send, one file a sender: from payload to alerts. Pure; `incident.web.hooks` is their door."""
