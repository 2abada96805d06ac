"""What business people declare, in one versioned document: channels and kinds of identifier."""
