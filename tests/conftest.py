"""Shared settings: hypothesis without deadlines (compilation trips them) and without luck."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")
