"""Cart and checkout in a Django project: ours, the usual form, and what replays our statements."""
