"""Tests, and the story that `make run` plays."""
