"""Where faces are kept: tokens in DynamoDB, crops in S3, the face set in MySQL or SQLite."""
