"""The parts of the stand-in S3 store; `s3.py` in the folder above starts it."""
