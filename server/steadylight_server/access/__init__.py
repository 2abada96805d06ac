"""Who is asking: channels, their keys, and what each may do."""
