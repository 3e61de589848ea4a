"""The measuring part of bench/run: one module per group of measurements, the rest reports."""
