"""What an exercise is, and how an answer is run and judged (every chapter)."""
