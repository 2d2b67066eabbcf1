"""Bindings at build time: one policy, plugins for hatchling and setuptools.

A build imports the module of its own backend; nothing here is imported from elsewhere.
"""
