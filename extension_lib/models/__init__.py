"""A loaded model seen through a few verbs, whatever program holds it."""
