"""AWS Lambda function that makes EventBridge schedules match a JSON configuration in Git."""
