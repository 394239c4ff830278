#ifndef OCSPD_SET_H
#define OCSPD_SET_H

#include "common/privsep.h"
#include "common/role.h"
#include "ocspd/listen.h"
#include "ocspd/settings.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * One configuration with its processes: a responder, the fronts, and a monitor
 * where the configuration has a listener for it. A process that dies is
 * replaced alone, later each time that it does not live. main has one set, and
 * two for the time of a reload (ocspd/main.c).
 */
struct member {
	struct role_process	 process;	/* pid 0: not running */
	bool			 ready;
	bool			 deaf;	/* closed its channel: it is ending */
	int			 counters_fd;	/* owned; -1: none yet */
	int64_t			 started_ms;
	int64_t			 start_at_ms;	/* when to start it (again) */
	int64_t			 delay_ms;
};

/* What all sets of one main have in common. */
struct set_options {
	bool			 probe;		/* ocspd -W */
	int64_t			 test_clock_offset_s;
	struct identity		 front, responder;	/* whose they run as */
};

/* members[0] is the responder, then come the fronts, then the monitor. */
#define SET_MAX_MEMBERS		(SETTINGS_MAX_FRONTS + 2)
struct set {
	const struct set_options *options;	/* borrowed */
	struct settings		*settings;
	struct listeners	 listeners;
	struct member		*members;
	size_t			 n;
	int64_t			 began_ms;
	bool			 ending;	/* who dies is not replaced */
	bool			 unpublished;	/* published_dir is not there */
};

/* settings is taken. old: sockets to take over, or NULL. */
int	set_new(const struct set_options *, struct settings *,
	    const struct listeners *old, struct set **out, struct err *);
void	set_free(struct set *);
OWNED_STRUCT_BY(set, set_free)

/* All of these may be called with NULL, which has no members. */
void	set_start(struct set *);
void	set_signal(struct set *, int sig);
bool	set_is_ready(const struct set *);	/* all walls up, at work */
bool	set_is_gone(const struct set *);	/* no process is left */
/* Start who is due; the time of the next one, or INT64_MAX. */
int64_t	set_start_due(struct set *, int64_t now_ms);
/* A child has ended. False: it was none of this set. */
bool	set_bury(struct set *, pid_t, int status);
/* One place for each member; returns how many. */
size_t	set_poll(const struct set *, struct pollfd *);
/* What poll saw. False: a crash point was met, and everything must end. */
bool	set_hear(struct set *, const struct pollfd *);
/* published_dir has come: the fronts' walls were built without it. */
void	set_look_for_published(struct set *);

#endif
