"""System checks: wrong settings are found by ``manage.py check``, with a hint that can be pasted."""
