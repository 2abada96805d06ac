"""What a channel needs to know about a customer now."""
