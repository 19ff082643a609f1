"""Programs that run in a Python of their own: each file stands for itself and imports nothing of this project."""
