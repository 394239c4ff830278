#ifndef OCSPD_UPGRADE_H
#define OCSPD_UPGRADE_H

#include "ocspd/listen.h"

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * Another program takes over without a refused connection (SIGUSR2): main
 * starts what stands at its own path now, hands the listening sockets over,
 * and ends once the successor says that it is at work. Until then both answer;
 * a successor that fails leaves everything as it was.
 *
 * The sockets and the pipe for that word travel as open descriptors, named in
 * the environment (OCSPD_SOCKETS, OCSPD_READY), which the successor clears.
 */
struct upgrade {
	pid_t	 pid;		/* the successor; 0: none */
	int	 ready_fd;	/* owned */
	int64_t	 began_ms;
};

/* First of all in main: remember the path, which may be replaced later. */
void	upgrade_note_program(void);
/* argv as main got it. */
int	upgrade_start(struct upgrade *, char *const argv[],
	    const struct listeners *, int64_t now_ms, struct err *);
enum upgrade_news {
	UPGRADE_WAITING,	/* or none is on its way */
	UPGRADE_DONE,		/* it is at work: end now */
	UPGRADE_FAILED,		/* it ended, or is late and was killed */
};
enum upgrade_news upgrade_look(struct upgrade *, int64_t now_ms);

/* The successor's side. What was handed over, or nothing: n is 0 then. The
 * caller closes it. */
int	upgrade_inherit(struct listeners *, struct err *);
/* "I am at work." Once; without a predecessor nothing happens. */
void	upgrade_tell(void);

#endif
