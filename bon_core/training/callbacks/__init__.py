"""What happens around the steps of a training; one file a callback. `callback.py` says when each is called."""
