"""What every slice stands on: settings, errors, clock, paging, the database."""
