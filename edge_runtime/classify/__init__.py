"""Classify single images and folders of images."""
