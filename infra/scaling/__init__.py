"""How far the service goes: the tables of docs/scaling.md, by arithmetic and by simulation."""
