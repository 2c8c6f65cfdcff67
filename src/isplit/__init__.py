"""Where to cut an image classifier between a device and a server, and what it costs."""
