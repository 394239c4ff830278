#ifndef COMMON_PRIVSEP_H
#define COMMON_PRIVSEP_H

#include "common/bytes.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/*
 * The walls of a role: no new privileges, not dumpable, no core, limits,
 * Landlock where the kernel has it, and a seccomp filter. Called by each role
 * once, after it opened what it needs and before its first untrusted octet.
 * Nothing here is taken back.
 *
 * What is forbidden answers EPERM (seccomp) or EACCES (Landlock), so that a
 * library that only looks around does not kill the role.
 */
enum sandbox_allow {
	SANDBOX_INET	= 1 << 0,	/* sockets to IPv4 and IPv6 */
	SANDBOX_UNIX	= 1 << 1,	/* new AF_UNIX sockets */
	SANDBOX_FORK	= 1 << 2,	/* fork, for a child with higher walls */
	SANDBOX_OPEN	= 1 << 3,	/* open files, within `paths` */
	SANDBOX_LOCK	= 1 << 4,	/* mlock: RLIMIT_MEMLOCK is left alone */
	SANDBOX_INET_LISTEN = 1 << 5,	/* accept on inherited sockets needs
					 * nothing; this is for bind, listen */
	/*
	 * The signer's, and only when one of its keys is in a token: a PKCS#11
	 * module locks memory, opens files (its token's; `paths` says which)
	 * and a socket to a daemon like pcscd. Threads need no leave. A token
	 * on the network needs SANDBOX_INET too.
	 */
	SANDBOX_TOKEN	= SANDBOX_OPEN | SANDBOX_LOCK | SANDBOX_UNIX,
	SANDBOX_EXEC	= 1 << 6,	/* execute files, within `paths`: what is
					 * executed keeps these walls */
};

struct sandbox_path {
	const char	*path;		/* file or folder, and all below it;
					 * one that does not exist is skipped */
	int		 writable;	/* 0 read; 1 read, write, create, rename;
					 * SANDBOX_RUN read, execute */
};
#define SANDBOX_RUN	2

struct sandbox {
	unsigned int	 allow;		/* set of enum sandbox_allow */
	const struct sandbox_path *paths;
	size_t		 n_paths;
	size_t		 max_memory;	/* RLIMIT_AS, octets; 0: as it is */
	unsigned int	 max_cpu_s;	/* RLIMIT_CPU; 0: as it is */
};
int	privsep_raise_walls(const struct sandbox *, struct err *);
/* The first thing any of our processes does: no core, not dumpable, umask
 * 027, SIGPIPE ignored. */
void	privsep_harden_process(void);

/* Ids of a user by name with the supplementary groups it has. */
struct identity {
	uid_t		 uid;
	gid_t		 gid;
	gid_t		 groups[16];
	int		 n_groups;
};
/* "" is the identity that we have. ERR_FAULT says how to create the user. */
int	privsep_find_identity(const char *user, struct identity *,
	    struct err *);
/* For good; a process that is not root stays who it is. */
int	privsep_become(const struct identity *, struct err *);
/* As the owner of the files that root makes for another user; root takes
 * itself back with 0, 0. Only for a process whose real user is root. */
int	privsep_act_as(uid_t, gid_t, struct err *);

/*
 * Try what the walls forbid: one line "what: errno or reached" for each
 * attempt, so that a test or an operator sees what holds (csrmaild -W).
 * Attempts: open each of `paths` (a key, the store, ...), an inet, a packet
 * and a netlink socket, exec, ptrace, reading another process's memory.
 */
void	privsep_probe(const char *const *paths, size_t n, pid_t other,
	    struct buf *out);

#endif
