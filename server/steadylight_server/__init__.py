"""The Steadylight server: one memory of the customer, served to every channel over GraphQL."""
