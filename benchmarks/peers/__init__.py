"""halluscope's speed beside that of other libraries, each in a process and an environment of its own."""
