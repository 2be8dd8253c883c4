"""The contract suites: what every backend must do, written once.

Inherit from a class and provide the fixtures that `harness` describes.
"""
