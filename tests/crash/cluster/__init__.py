"""Several bridges on one PostgreSQL: the same schedules, faults and judge, with more that can be hit."""
