#ifndef COMMON_ROLE_H
#define COMMON_ROLE_H

#include "common/bytes.h"
#include "common/channel.h"
#include "common/log.h"
#include "common/privsep.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/*
 * A role is a process: this binary, executed anew with an empty environment
 * and only the descriptors that it needs. `ps` shows "csrmaild: parser".
 *
 * main says what they are over the control channel (descriptor 3): BOOT,
 * then one DESCRIPTOR frame for each, then GO. The role takes them by name,
 * raises its walls and answers READY.
 */
#define ROLE_MAX_DESCRIPTORS	80	/* a passphrase for each CA */
#define ROLE_MAX_PROBES		8

/* main's side. */
struct role_spec {
	const char	*program;	/* "csrmaild" */
	const char	*role;		/* "intake" */
	const char	*instance;	/* a mailbox's title, or "" */
	struct identity	 identity;
	enum log_level	 log_level;
	bool		 probe;		/* csrmaild -W: report and exit */
	const char *const *probe_paths;	/* what every role tries to open, up
					 * to ROLE_MAX_PROBES; NULL ends it */
	int64_t		 test_clock_offset_s;	/* test builds only */
	const char	*test_crash_at;	/* NULL: nowhere; test builds only */
};
struct role_process {
	pid_t		 pid;
	struct channel	*control;	/* owned */
};
int	role_spawn(const struct role_spec *, struct role_process *,
	    struct err *);
/* fd is taken. */
int	role_give(struct role_process *, const char *name, int fd,
	    struct err *);
int	role_go(struct role_process *, struct err *);
/* What a frame on the control channel means to main. */
enum role_news {
	ROLE_READY = 1,		/* walls up, at work */
	ROLE_PROBED,		/* the payload is privsep_probe's text */
	ROLE_CRASHED,		/* a crash point: kill every role, SIGKILL */
	ROLE_OTHER,		/* the daemon's own, types from 20 on */
	ROLE_BROKEN,
};
#define ROLE_CRASH_FRAME	19
/* Print a probe's report: the role's name, then a line for each attempt,
 * indented. */
void	role_show_probe(const char *role, const char *instance,
	    struct bytes report);
enum role_news role_news(const struct frame *);

/* The role's side. */
struct role {
	char		 program[16];
	char		 name[32];
	char		 instance[64];
	pid_t		 main_pid;
	struct channel	*control;	/* owned; its end means: stop */
	enum log_level	 log_level;
	bool		 probe;		/* raise the walls, probe, exit */
	char		 probe_paths[ROLE_MAX_PROBES][256];
	size_t		 n_probe_paths;
	struct {
		char	name[64];
		int	fd;
	}		 descriptors[ROLE_MAX_DESCRIPTORS];
	size_t		 n_descriptors;
};
/* Were we executed as a role? Then *role is filled, log and clock are set; the
 * log borrows its names from *role. */
int	role_enter(int argc, char **argv, struct role *, bool *is_role,
	    struct err *);
/* The descriptor of that name, taken out of the role; -1: none. */
int	role_take(struct role *, const char *name);
/* The same as a channel to a peer. NULL: none, or no memory. */
struct channel *role_take_peer(struct role *, const char *name,
	    size_t max_in, size_t max_out);
/* Raise the walls and say READY; or, when probed, report what they let through
 * to main's questions, and exit. */
int	role_ready(struct role *, const struct sandbox *, struct err *);
/* SIGTERM has come: finish the step in hand and return from the role. */
bool	role_is_stopping(void);
/* Descriptor that becomes readable at SIGTERM, for poll. */
int	role_signal_fd(void);

#endif
