"""Deploys a packaged stage to AWS with CloudFormation, and deletes it again."""
