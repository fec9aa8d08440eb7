"""Finds, compares and keeps faces; everything the Lambda function runs."""
