#ifndef CSRMAILD_CREW_H
#define CSRMAILD_CREW_H

#include "common/privsep.h"
#include "common/role.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct settings;

/*
 * The roles that run together: started, connected, watched and ended as one.
 * When one dies the others are ended too, since a frame may have been lost
 * between them; the store and the signer's journal are what counts.
 */
#define CREW_MAX	32

struct crew_member {
	const struct crew_role *role;
	char		 instance[64];	/* a mailbox's title, a session's
					 * number from 2 on, or "" */
	struct role_process process;
	bool		 ready;
	bool		 gone;		/* reaped */
};

/* What main knows of each role; the table stands in main.c. */
struct crew_role {
	const char	*name;
	const char	*user;		/* when not unprivileged */
	enum crew_number {
		CREW_ONE,
		CREW_PER_MAILBOX,
		CREW_PER_SESSION,	/* smtp.sessions */
		CREW_WITH_COMMANDS,	/* one, when a command is configured */
		CREW_WITH_SEALS,	/* one, when some mailbox signs */
	}		 number;
	int		(*run)(struct role *);
};
/* Who talks with whom; the graph stands in main.c. */
struct crew_edge {
	const char	*a, *b;
};

struct crew {
	const struct crew_role *roles;
	size_t		 n_roles;
	const struct crew_edge *edges;
	size_t		 n_edges;
	struct crew_member members[CREW_MAX];
	size_t		 n;
	bool		 stopping;
};

struct crew_options {
	const struct settings *settings;
	int		 lock_fd, api_fd, unlock_fd;	/* borrowed */
	bool		 probe;
	int64_t		 test_clock_offset_s;
	const char	*test_crash_at;
};
/* Start every role and hand it its descriptors. On failure nothing runs. */
int	crew_start(struct crew *, const struct crew_options *, struct err *);
bool	crew_is_ready(const struct crew *);
/* Open the member's token_file anew and hand it over, or say why not. */
void	crew_give_token(struct crew_member *, const struct settings *);
/* Note the dead. Returns true when one of ours is among them. */
bool	crew_reap(struct crew *);
/* SIGTERM, one after the other from the last, grace_ms for all together, then
 * SIGKILL. All are gone afterwards. */
void	crew_stop(struct crew *, int grace_ms);

#endif
