"""The subcommands of `edge-export`, one file each: the parser, the options, and the action."""
