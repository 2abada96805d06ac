"""One source of articles: what is written, for whom, since when, and who was shown it."""
