"""The probe: throw-away accounts, real mail to them, and real devices that hear of it; gone afterwards in any case."""
