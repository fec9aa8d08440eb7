"""Deliberate faults in the code, and a program that checks that the tests catch each of them."""
