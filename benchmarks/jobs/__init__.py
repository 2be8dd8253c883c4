"""One file per peer: the same six stages in its own words, and what submits them."""
