"""The measurements of bench/run: one module per group, and the report."""
