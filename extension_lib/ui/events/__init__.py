"""What happens when something on the page is pressed, chosen or typed; a file for each part of the page."""
