"""The parts of the stand-in Hugging Face Hub started by ../hub.py."""
