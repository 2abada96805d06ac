"""Small apps of channel developers, as gunicorn and Celery load them: the client is made before the fork."""
