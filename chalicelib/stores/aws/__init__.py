"""DynamoDB, S3 and S3 Vectors."""
