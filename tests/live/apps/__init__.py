"""Small apps of channel developers, as gunicorn loads them: the client is made before the workers are forked."""
