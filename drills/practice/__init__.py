"""A shop, its payment provider, its carrier and a Slack to practise on: small, honest, and breakable on purpose."""
