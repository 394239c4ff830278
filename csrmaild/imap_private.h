#ifndef CSRMAILD_IMAP_PRIVATE_H
#define CSRMAILD_IMAP_PRIVATE_H

#include "csrmaild/imap.h"

#include <libetpan/libetpan.h>

/*
 * What the files of csrmaild/imap.h share: imap.c has messages and waiting,
 * imap_login.c all until the session is authenticated, imap_folder.c names of
 * folders and filing.
 */
struct imap {
	mailimap	*session;
	mailstream	*stream;	/* the session's once it is connected */
	int64_t		 timeout_ms;
	int64_t		 longest_wait_ms;	/* IMAP_LONGEST_WAIT_MS */
	bool		 broken;
	bool		 can_move, can_idle, can_expunge;
	struct mailimap_namespace_data *namespaces;	/* owned; NULL: the
							 * server has none */
	uint32_t	 listed;	/* EXISTS that the last list knew of */
	char		 answer[200];
};

#define IMAP_ORDINARY_OCTETS	(1u << 20)	/* an answer without bodies */

#define IMAP_LONGEST_WAIT_MS	(29 * 60 * 1000)	/* RFC 2177, 3: before the
							 * server ends it, at 30 */

/* Before each command: its deadline, and what it may read. */
void	imap_allow(struct imap *, size_t octets);
/* The result of a command that should have ended with `want`. */
int	imap_check(struct imap *, int result, int want, const char *doing,
	    struct err *);
/* The session is of no more use. Returns -1. */
int	imap_give_up(struct imap *, const char *doing, const char *why,
	    struct err *);
/* UIDs that are marked \Deleted in the selected folder. *out is owned:
 * mailimap_search_result_free. */
int	imap_search_deleted(struct imap *, clist **out, struct err *);
bool	imap_search_has(clist *, uint32_t uid);
bool	imap_has(const struct imap *, const char *capability);
/* Where the folders of this user are (RFC 2342), asked once after login. -1
 * only when the session is of no more use. */
int	imap_ask_namespaces(struct imap *, struct err *);

#endif
