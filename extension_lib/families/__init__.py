"""What a model family is, as data; one file each."""
