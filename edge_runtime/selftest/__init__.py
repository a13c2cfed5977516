"""Replay a bundle's golden images and compare the results with the export's."""
