"""What happened: append-only actions, and the contacts they make up."""
