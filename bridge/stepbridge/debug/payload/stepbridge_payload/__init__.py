"""What runs inside step containers: Python 3.6 to 3.13, standard library only.

Its rules: a process that is not to be debugged pays next to nothing; a step never fails because of us; the
step's output, exit code and environment stay what they would be.
"""
