"""The language of journey files: their models, matchers, templates and paths. Nothing here touches the network."""
