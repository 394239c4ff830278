#ifndef CSRMAILD_CTL_TERSE_H
#define CSRMAILD_CTL_TERSE_H

#include "csrmaild/ctl/command.h"

#include <stdbool.h>

/*
 * The classic terse forms, for hands that know them:
 *
 *	-r NAME [-v DAYS]		a root
 *	-p PARENT -c NAME [-v DAYS]	a CA below it
 *	-R PATH				PATH.key and PATH.p10
 *	-p CA -s REQ [-o OUT] [-v DAYS]	sign
 *	-p CA -x NAME			revoke what has NAME among its names
 *
 * Each becomes one of the ordinary commands, whose long options may follow; -x
 * is a command of its own, since a person may have to choose.
 */
#define TERSE_MAX	32

struct terse {
	const struct command *command;	/* NULL: the one that argv begins with */
	char		*argv[TERSE_MAX];	/* owned */
	int		 argc;
};

/* Is this the first word of one? */
bool	terse_begins(const char *word);
/* argv from that word on. EX_USAGE. */
int	terse_translate(struct ctl *, int argc, char *const *argv,
	    struct terse *out, struct err *);
void	terse_free_contents(struct terse *);

#endif
