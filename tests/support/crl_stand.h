#ifndef TESTS_SUPPORT_CRL_STAND_H
#define TESTS_SUPPORT_CRL_STAND_H

#include "common/crl.h"
#include "common/store.h"
#include "csrmaild/registry.h"
#include "tests/support/fixtures.h"

/*
 * A registrar's desk with a store in a folder of its own, one CA ("users",
 * below the root "top", which does not sign here), and a signer that writes
 * down what it is told instead of signing.
 */
struct stand_crl {
	struct crl_terms terms;
	struct crl_entry *entries;	/* owned */
	size_t		 n;
};

struct crl_stand {
	struct registrar r;
	struct settings	 settings;
	struct ca_settings ca;
	struct mailbox_settings mailbox;
	char		 dir[64];
	int64_t		 top_id, users_id;
	/* The signer. */
	struct channel	*signer;
	bool		 deaf;		/* it reads nothing */
	bool		 refuses;
	int		 crl_fd;
	struct stand_crl crls[64];	/* in the order of their making */
	size_t		 n_crls;
	struct crl_entry revoked[64];	/* for its journal */
	size_t		 n_revoked;
	struct wire_blocked blocked[64];	/* keys, for all journals */
	size_t		 n_blocked;
};

/* With the defaults of the configuration; CRLs weekly, daily. */
void	crl_stand_open(struct crl_stand *);
/* As after a restart, with changed settings perhaps. */
void	crl_stand_restart(struct crl_stand *);
void	crl_stand_close(struct crl_stand *);

/* A certificate in force, under `serial`, as its two last octets. */
void	crl_stand_issue(struct crl_stand *, unsigned int serial,
	    uint16_t shard, time_t not_after);
/* The same with a key, names and a request that came by mail. */
void	crl_stand_issue_to(struct crl_stand *, unsigned int serial,
	    const char *ca, uint8_t key, const char *names, int64_t request);
/* One more CA below `parent` ("": a root), or a generation of one: its id. Its
 * certificate has the serial 76 + number (a root's 1); 1 is taken. */
int64_t	crl_stand_add_ca(struct crl_stand *, const char *name,
	    const char *parent, uint8_t number);
/* The same key of "users" gets another certificate, by that parent. */
void	crl_stand_renew_users(struct crl_stand *, const char *parent,
	    uint8_t number);
struct serial crl_stand_serial(unsigned int);
void	crl_stand_revoke(struct crl_stand *, unsigned int serial,
	    enum crl_reason);

/* One turn of the loop at that time. */
void	crl_stand_turn(struct crl_stand *, time_t now);
/* Turns until nothing is in hand, once. */
void	crl_stand_run(struct crl_stand *, time_t now);
/* The last CRL that was made; NULL: none since the stand was opened. */
const struct stand_crl *crl_stand_last(const struct crl_stand *);
/* The reason of that serial there; -1: it is not listed. */
int	crl_stand_reason(const struct stand_crl *, unsigned int serial);
/* Whether the file is there in the published folder. */
bool	crl_stand_has(const struct crl_stand *, const char *file);

#endif
