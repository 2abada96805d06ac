"""One small module per framework; each needs its framework, which the SDK itself does not."""
