"""HTML as a shopper's browser sees it: what is safe to parse, selectors, forms, visible text."""
