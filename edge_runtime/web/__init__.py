"""The page and the HTTP interface of the live loop."""
