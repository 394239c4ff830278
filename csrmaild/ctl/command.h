#ifndef CSRMAILD_CTL_COMMAND_H
#define CSRMAILD_CTL_COMMAND_H

#include "csrmaild/ctl/ctl.h"

/*
 * The table of commands: usage, help, dispatch, the number of arguments, the
 * options, and the check of csrmail(1) all read it.
 */
enum needs {
	NEEDS_NOTHING,
	NEEDS_SETTINGS,		/* the configuration, read and checked */
	NEEDS_API,		/* the daemon; the configuration tells where */
	NEEDS_DESK,		/* the same; without a daemon the folder itself,
				 * as csrmaild/desk.h says */
};

struct command {
	const char	*name;		/* "request approve"; NULL ends */
	const char	*args;		/* for people: "ID" */
	int		 min_args, max_args;
	enum needs	 needs;
	const struct ctl_option *options;
	ctl_command	*run;
	const char	*help;
};
extern const struct command ctl_commands[];
extern const struct ctl_option ctl_global_options[];

/* The command that argv begins with; *used is the words of its name. */
const struct command *command_find(int argc, char *const *argv, int *used);
/*
 * Sort argv into ctl's arguments and options, by the command's table and the
 * global options. "--" ends options; "--name=value" and "--name value" are
 * one. EX_USAGE.
 */
int	command_read_args(const struct command *, int argc,
	    char *const *argv, struct ctl *, struct err *);
/* Of one command; NULL: the list of those that begin with noun ("": all). */
void	command_usage(FILE *, const struct command *, const char *noun);

#endif
