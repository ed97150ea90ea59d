"""What everything stands on: random numbers, validation, errors, status and evidence, citations, special functions.

Imports nothing of the package. To add a helper here, it must have two users in different folders above.
"""
