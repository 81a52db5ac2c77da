"""How Prometheus and Grafana look at Shopwatch: rules and a dashboard, as files to be copied."""
