"""The data of the course: made on the spot, or downloaded on demand."""
