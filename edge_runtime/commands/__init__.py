"""The subcommands of `edge-run`, one file each: the parser, the options, and the action."""
