"""The programs that lend us their model; nothing outside this folder imports them."""
