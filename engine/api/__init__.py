"""All that a console or a command may know of the engine: messages, subjects and the client."""
