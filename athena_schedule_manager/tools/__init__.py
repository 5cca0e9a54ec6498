"""What users and operators run; nothing of it is deployed."""
