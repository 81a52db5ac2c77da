"""The HTTP surface of Shopwatch: status page, alert intake, JSON API, metrics."""
