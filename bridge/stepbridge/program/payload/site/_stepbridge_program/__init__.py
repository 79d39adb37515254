"""What runs inside the user's own interpreter. Python 3.8 and up, standard library only."""
