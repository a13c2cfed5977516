"""The subcommands of `edge-train`, one file each: the parser, the options, and the action."""
