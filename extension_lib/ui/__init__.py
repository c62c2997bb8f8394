"""The pages. They keep to what Gradio 3.41, 4 and 6 have in common."""
