-- idgen 0.3 -> 0.4. Frozen once released.
\echo Use "ALTER EXTENSION idgen UPDATE TO '0.4'" to load this file. \quit
