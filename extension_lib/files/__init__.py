"""Tools for LoRA-like files of any writer: each reads layer by layer, and writes a new file that appears whole."""
