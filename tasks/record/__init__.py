"""Everything becomes state in DynamoDB and entries in the S3 audit log."""
