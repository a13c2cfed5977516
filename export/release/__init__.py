"""Publish bundles as signed releases in a repository of static files."""
