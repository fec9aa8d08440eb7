"""Stores tokens in DynamoDB, crops in S3, the face set in MySQL or SQLite, and vectors in S3 Vectors."""
