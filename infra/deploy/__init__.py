"""Brings a packaged stage to AWS by CloudFormation, and takes it away again."""
