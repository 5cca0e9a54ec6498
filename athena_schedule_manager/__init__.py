"""AWS Lambda function that makes EventBridge schedules match a JSON configuration in Git."""

__version__ = "3.0.0"
